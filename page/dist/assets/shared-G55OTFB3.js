import{a,b,c,d}from"/assets/chunk-6NGHYJEM.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
