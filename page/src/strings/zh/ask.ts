// Chinese words of the form: question, modes, attempts, symbols, and why a question was not taken.

import type { ask as english } from "../en/ask.ts";

export const ask: typeof english = {
  question: "你的问题",
  work: "你自己的解答",
  workHint: "把你的做法一行一行写下来，它会被逐行检查。",
  keys: "按 Enter 提问，按 Shift+Enter 换行。",
  preview: "预览",
  previewOf: (field) => `预览：${field}`,
  button: "提问",
  asking: "正在提交……",
  asked: "问题已提交。即使关掉这个页面，它也会保留。",

  modeLabel: "你想要什么？",
  modes: {
    math: { name: "数学", about: "一步一步解题" },
    code: { name: "编程", about: "写出程序" },
    hint: { name: "提示", about: "只告诉你下一步的思路" },
    review: { name: "批改", about: "检查你自己的解答" },
    proof: { name: "证明", about: "严格证明每一步" },
    plain: { name: "简答", about: "简短地回答" },
  },
  needsModel: "需要正式模型",
  needsModelSaid: (mode) => `“${mode}”需要正式模型。`,
  realModel: {
    summary: "怎样得到正式模型？",
    what: "这台设备现在用的是小的演示模型，只会小学算术。"
      + "VibeThinker 是一个免费的模型，能完成这个页面上的所有功能。",
    how: "由设备管理员安装一次即可，大约需要一小时，还需要一台能上网、有 10 GB 空闲空间的电脑：",
    steps: [
      "下载 VibeThinker-1.5B 并转换格式；具体命令见 solverbox 的 models/README.md。",
      "把得到的文件（以 .gguf 结尾）复制到这台设备的“models”文件夹。",
      "重新启动 solverbox，所有模式就都能用了。",
    ],
  },

  sureLabel: "要多大把握？",
  sureHint: "解答多次再投票，更容易答对，但花的时间更长。",
  attempts: (count) => `解答 ${count} 次`,
  expected: (time) => `预计用时：${time}`,
  units: { second: "秒", minute: "分钟", hour: "小时" },
  about: (count, unit) => `约 ${count} ${unit}`,
  within: (count, unit) => `${count} ${unit}以内`,

  more: "更多",
  budget: "思考上限（词元数）",
  budgetHint: (tokens) => "词元（token）是文字的小片段，一个汉字大约是一个词元。数目越大，"
    + `遇到难题时可以思考得越久。不填时为 ${tokens}。`,

  examplesLabel: "也可以点一个例题：",
  replaced: "你输入的内容已被替换。",
  bringBack: "恢复我的内容",
  goesOn: "这个问题接着之前的一个回答继续问。",
  startNew: "改为单独提问",

  length: (tokens, most) => `长度：约 ${tokens} / ${most} 词元`,
  tooLong: (tokens, most) => `长度：约 ${tokens} / ${most} 词元，可能太长了，请缩短一些。`,

  notPasted: (tokens) =>
    `未粘贴：这段文字约有 ${tokens} 词元，远远超出设备能读的长度。请只粘贴需要的部分。`,

  missing: {
    question: "请先输入问题。",
    work: "请先写下你自己的解答，这个模式会检查它。",
    budget: (most) => `思考上限必须是 1 到 ${most} 之间的整数。`,
  },
  problem: (what, remedy) => `${what}${remedy}`,
  again: (seconds) => `${seconds} 秒后可以再次提问。`,
  againNow: "现在可以再次提问了。",

  symbolsFor: (field) => `用于“${field}”的符号`,
  symbols: {
    formula: "公式",
    fraction: "分数",
    root: "根号",
    power: "上标（乘方）",
    subscript: "下标",
    parentheses: "圆括号",
    braces: "花括号",
    absolute: "绝对值",
    pi: "圆周率",
    times: "乘号",
    divided: "除号",
    plusMinus: "正负号",
    less: "小于或等于",
    greater: "大于或等于",
    unequal: "不等于",
    roughly: "约等于",
    infinity: "无穷大",
    degree: "度",
    integral: "积分",
    sum: "求和",
    arrow: "箭头",
    angle: "角",
  },

  folded: {
    label: "你的问题",
    show: "展开完整问题",
    hide: "收起",
    mode: (mode, attempts) => `模式：${mode}${attempts > 1 ? `，解答 ${attempts} 次` : ""}`,
    newQuestion: "新问题",
  },
};
