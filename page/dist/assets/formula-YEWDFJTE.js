import{a_5 as a,b_5 as b}from"/assets/job-MC7TH6OH.js";export{b as isWords,a as preloadMath};
