import{a,b,c,d}from"/assets/chunk-4N53YYKR.js";export{a as SharedJob,d as Withdrawn,c as isWithdrawn,b as useShared};
