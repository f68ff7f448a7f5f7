import{a,b,c,d}from"/assets/chunk-GJMPMCSZ.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
