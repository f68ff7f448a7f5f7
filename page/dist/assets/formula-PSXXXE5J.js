import{a_5 as a,b_5 as b}from"/assets/job-KVR2W5Y6.js";export{b as isWords,a as preloadMath};
