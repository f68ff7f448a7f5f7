// Chinese words of one question: waiting, thinking, answer, votes, and the steps of learning.

import type { Unit } from "../../views/job/durations.ts";
import type { job as english } from "../en/job.ts";

const UNITS: Record<Unit, string> = { hour: "小时", minute: "分钟", second: "秒" };

export const job: typeof english = {
  label: "你的问题的答案",
  loading: "正在查找你的问题……",

  duration: ({ hours, minutes, seconds }) => {
    if (hours > 0) return `${hours} 小时 ${minutes} 分`;
    return minutes > 0 ? `${minutes} 分 ${seconds} 秒` : `${seconds} 秒`;
  },
  expectation: (expected) => {
    if (expected.kind === "overdue") return "比预计的时间长";
    if (expected.kind === "within") return `不到 ${expected.most} ${UNITS[expected.unit]}就好`;
    const { about, from, to, unit } = expected;
    const range = from < to ? `（${from} 到 ${to}）` : "";
    return `大约还要 ${about} ${UNITS[unit]}${range}`;
  },
  tokens: (count) => `${count} 个词元`,

  state: {
    loadingModel: "正在排队，等待模型加载……",
    before: (count) => `正在排队：前面还有 ${count} 个问题……`,
    next: "正在排队：下一个就是你……",
    reading: "正在读题……",
    thinking: "正在思考……",
    answering: "正在写答案……",
    others: (ended, wanted) => `${wanted} 次解答已完成 ${ended} 次……`,
    gone: "设备没有响应，正在重试……",
    back: "设备已恢复，继续解答……",
    done: "已完成",
    cut: "已完成，但不完整",
    stopped: "已停止",
    failed: "没有得到答案",
    lost: "不再跟进",
  },
  stop: "停止",
  stopping: "正在停止……",
  answerNow: "马上作答",
  answeringNow: "马上就作答……",
  answerNowMeans: "点“马上作答”会结束思考，设备用目前想到的内容作答，所以更容易出错。",
  leave: "你可以离开此页面，解答不会中断，答案会出现在“我的问题”里。",
  soFar: (value, count) => `目前：${value}（${count} 次）`,
  soFarNone: "各次解答完成后会互相比较。",

  thinking: {
    label: "思考",
    hidden: "已隐藏，否则会泄露解答",
    none: "这个答案没有思考过程",
    notYet: "轮到你时开始",
    shown: "思考过程",
    fold: "收起思考过程",
    attempts: "查看哪一次的思考",
    attempt: (number) => `第 ${number} 次`,
    empty: "这一次没有内容。",
    loading: "正在加载这一次解答……",
  },

  answer: {
    label: "答案",
    value: "答案：",
    hintNote: "这是提示。在你要求之前，解答不会显示。",
    reviewNote: "这是对你的过程的批注。在你要求之前，解答不会显示。",
    readyNote: (time) => `用时 ${time}。`,
    empty: "设备没有得出答案。",
    yourWork: "你的过程",
    moreRemarks: "其他批注",
    line: (number) => `第 ${number} 行`,
  },

  level: { strong: "高度一致", fair: "基本一致", weak: "分歧较大", guess: "只是猜测" },
  verdict: (verdict) => {
    if (verdict.kind === "single") return "只解答了一次，没有经过核对。";
    if (verdict.kind === "none") return `${verdict.ended} 次解答都没有可以比较的答案。`;
    if (verdict.kind === "split") {
      return verdict.ended === 1
        ? "只完成了一次解答，没有经过核对。"
        : `${verdict.ended} 次解答的答案各不相同。`;
    }
    const { count, ended, spared } = verdict;
    const agree = count === ended ? `${ended} 次解答的答案全部相同。` : `${ended} 次解答中有 ${count} 次答案相同。`;
    return spared > 0 ? `${agree}再做 ${spared} 次也几乎不会改变结果。` : agree;
  },
  votes: {
    label: "所有答案",
    open: (count, ended) => `${ended} 次中的 ${count} 次`,
    noValue: "没有可以比较的答案",
    list: "得出这个答案的解答",
    isShown: "上面显示的就是它",
    thinking: "显示它的思考过程",
    foldThinking: "收起它的思考过程",
    fold: (number) => `收起第 ${number} 次`,
  },
  check: {
    button: "重新解答 4 次来核对",
    means: "设备会把你的问题重新解答 4 次，再比较这 4 个答案。现在的答案会保留。",
    time: (expected) => `核对${expected}。`,
  },

  actions: {
    copy: "复制",
    copied: "已复制",
    notCopied: "复制失败",
    copyFailed: "这个浏览器不允许网页复制。请选中文字后自己复制。",
    print: "打印",
    again: "再问一次",
  },
  ending: {
    budget: "答案达到了长度上限，所以缺少结尾。",
    thinkingCut: "思考还没结束就达到了上限。请仔细检查这个答案。",
    longer: "把上限加倍，再问一次",
    stopped: "这道题已停止解答，已写出的内容会保留。",
    failed: "设备没能回答这个问题。再问一次往往就可以。",
    emptyHelps: "请再问一次，或者换一种说法。",
  },
  followUp: {
    label: "接着这个答案问",
    placeholder: "接下来你想知道什么？",
    button: "继续问",
    asking: "正在提交……",
    missing: "请先写出你接下来想知道什么。",
  },

  earlier: (question) => `之前的问题：${question}`,
  earlierSteps: (count) => `之前的 ${count} 步`,
  problem: (question) => `题目：${question}`,
  earlierAnswer: "答案",
  noEarlierAnswer: "没有保留答案。",

  ladder: {
    label: "接下来怎么做？",
    steps: { hint: "提示", nextHint: "下一个提示", check: "检查我的过程", solution: "完整解答" },
    about: {
      hint: "告诉你从哪里入手",
      nextHint: "再告诉你一步思路",
      check: "你来写，设备找出错误",
      solution: "全部步骤和答案",
    },
    done: "已完成",
    later: "先看第一个提示",
    askHint: "请给我一个提示。",
    askNextHint: "请给我下一个提示。",
    really: "确定吗？看了解答，就没有机会自己想出来了。",
    yes: "确定，显示解答",
    no: "先不看",
    workLabel: "你的过程，每行写一步",
    workHint: "设备会指出哪一行有错。",
    send: "开始检查",
    missing: "请先写下你的第一步。",
    cancel: "关闭",
  },

  fault: {
    askNew: "提一个新问题",
    askSame: "把这个问题再问一次",
    toHistory: "我的问题",
  },
  down: "新内容",
  downLabel: "在下面：跳到末尾",

  title: {
    place: (place) => `排队第 ${place} 位`,
    minutes: (count) => `${count} 分钟`,
    working: "正在思考",
    gone: "连接中断",
    done: "✓ 已完成",
    stopped: "已停止",
    failed: "✗ 没有答案",
    lost: "不再跟进",
  },
  say: {
    asked: (place, minutes) => `${place > 0 ? `排在第 ${place} 位。` : "正在解答你的问题。"}${
      minutes === null ? "" : `大约还要 ${minutes} 分钟。`}`,
    place: (place, minutes) => `现在排在第 ${place} 位。${
      minutes === null ? "" : `大约还要 ${minutes} 分钟。`}`,
    minutes: (minutes) => `大约还要 ${minutes} 分钟。`,
    thinking: "正在思考。",
    answering: "正在写答案。",
    overdue: "用时比预计的长。",
    cutOff: "设备没有响应，页面正在重试。",
    back: "设备已恢复，继续解答。",
    ready: (value) => (value ? `已完成。答案是 ${value}。` : "已完成。"),
    stopped: "已停止。",
    failed: "这个问题没有得到答案。",
    lost: "本页不再跟进这个问题。",
  },
  print: { asked: (date) => `提问时间：${date}` },
};
