import{a,b,c,d}from"/assets/chunk-ZP64VJK4.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
