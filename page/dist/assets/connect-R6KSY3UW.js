import{b as a,c as b}from"/assets/chunk-DZWXAOAO.js";import"/assets/chunk-K5HEMKMZ.js";export{a as Connect,b as Unreachable};
