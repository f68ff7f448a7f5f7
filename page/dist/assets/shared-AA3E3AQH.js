import{a,b,c,d}from"/assets/chunk-ZVNR4XXM.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
