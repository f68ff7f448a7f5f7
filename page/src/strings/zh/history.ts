// Chinese words of the list of a browser's questions.

import type { history as english } from "../en/history.ts";

export const history: typeof english = {
  label: "我的问题",
  search: "搜索问题和答案",
  searchOlder: "正在查找更早的问题……",
  found: (count) => `找到 ${count} 道题`,
  none: "没有找到。请减少或更换关键词。",
  empty: "你还没有提过问题。",
  ask: "去提第一个问题",
  loading: "正在读取你的问题……",

  states: {
    queued: "排队中",
    running: "正在解答",
    done: "已回答",
    stopped: "已停止",
    failed: "没有答出",
  },
  isNew: "新",
  value: (value) => `答案：${value}`,
  steps: (count) => `同一道题的 ${count} 个步骤`,
  older: "显示更早的问题",
  loadingOlder: "正在读取更早的问题……",

  delete: "删除",
  deleteThis: (question) => `删除：${question}`,
  reallyDelete: "要删除这个问题和它的答案吗？删除后无法恢复。",
  reallyDeleteOpen: "这个问题还在解答中。要停止并删除它吗？删除后无法恢复。",
  yes: "确定删除",
  keep: "保留",
  deleting: "正在删除……",
  deleted: "已删除。",
  deleteAll: "全部删除",
  reallyDeleteAll: "要删除你的全部问题和答案吗？删除后无法恢复，正在解答的问题也会停止。",
  yesAll: "确定全部删除",
  deletedAll: "你的全部问题都已删除。",

  saveLabel: "把问题存成文件",
  saveMarkdown: "存成便于阅读的文件（Markdown）",
  saveJson: "存成供程序使用的文件（JSON）",
  saveFound: "只保存搜索到的问题。",
  collecting: (done, of) => `正在整理：${done} / ${of}`,
  cancel: "取消",
  saved: (count) => `已保存 ${count} 个问题。`,
  file: {
    title: "向 solverbox 提出的问题",
    work: "自己的解答",
    value: (value) => `答案：${value}`,
    votes: (ended) => `${ended} 次解答的结果：`,
    cutOff: "答案达到长度上限，后面的部分缺失。",
  },
};
