import{a,b,c,d}from"/assets/chunk-PADO43XF.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
