import{d_11 as s}from"/assets/main-JDKHBXW3.js";function m(t,n){return`# ${n.title}
${t.map(e=>`
${a(e,n)}`).join(`
---
`)}`}function a(t,n){let e=[`*${n.time(t.asked_at)} · ${n.modeOf(t.mode)}*`,r(t.question)];return t.attempt_of_student&&e.push(`**${n.work}**`,r(t.attempt_of_student)),t.state!=="done"?e.push(`*${n.states[t.state]}*`):t.finish==="budget"&&e.push(`*${n.cutOff}*`),s(t.state)&&t.value&&e.push(`**${n.value(i(t.value))}**`),t.votes&&t.votes.votes.length>0&&e.push(p(t.votes,n)),t.answer&&e.push(t.answer),`${e.join(`

`)}
`}function p({votes:t,ended:n},e){let o=t.map(({value:u,count:f})=>`- ${i(u)}: ${f}`);return[e.votes(n),"",...o].join(`
`)}function i(t){return/[\\^_{}]/.test(t)?`$${t}$`:t}function r(t){return t.trim().split(/\r\n|\r|\n/).map(n=>`> ${n}`.trimEnd()).join(`
`)}function l(t){return`${JSON.stringify({jobs:t},null,2)}
`}export{l as jsonOf,m as markdownOf};
