import{a_5 as a,b_5 as b}from"/assets/job-IU6WVAKQ.js";export{b as isWords,a as preloadMath};
