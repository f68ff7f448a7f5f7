import{a,b,c,d}from"/assets/chunk-U5RNNFF6.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
