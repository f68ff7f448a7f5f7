import{b as a,c as b}from"/assets/chunk-3NY77T5F.js";import"/assets/chunk-K5HEMKMZ.js";export{a as Connect,b as Unreachable};
