import{a_5 as a,b_5 as b}from"/assets/job-PJTUUNJV.js";export{b as isWords,a as preloadMath};
