import{a,b,c,d}from"/assets/chunk-L64XQ7IH.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
