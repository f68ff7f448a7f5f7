import{b as a,c as b}from"/assets/chunk-SXPEXJB6.js";import"/assets/chunk-K5HEMKMZ.js";export{a as Connect,b as Unreachable};
