import{a,b,c,d}from"/assets/chunk-KRWVKM4Y.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
