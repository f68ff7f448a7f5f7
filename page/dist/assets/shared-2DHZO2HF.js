import{a,b,c,d}from"/assets/chunk-MA5K2JA2.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
