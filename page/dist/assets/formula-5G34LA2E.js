import{a_5 as a,b_5 as b}from"/assets/job-2PYFU4J7.js";export{b as isWords,a as preloadMath};
