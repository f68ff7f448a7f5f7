// Chinese words of rendered texts: code blocks, and parts that scroll.

import type { text as english } from "../en/text.ts";

export const text: typeof english = {
  copy: "复制",
  copied: "已复制",
  copyFailed: "复制失败",
  copyCode: "复制代码",
  formulaScrolls: "公式较宽，可左右滚动",
  codeScrolls: "代码较宽，可左右滚动",
  tableScrolls: "表格较宽，可左右滚动",
  faultyFormula: "这个公式无法显示，下面是它的源代码",
};
