// Chinese words of the frame: header, menu, the state of the box.

import type { app as english } from "../en/app.ts";

export const app: typeof english = {
  newQuestion: "新问题",
  history: "我的问题",
  connect: "连接",
  menu: "菜单",
  language: "English",
  box: {
    loading: (percent) => `模型正在加载，已完成 ${percent}%。现在就可以提问。`,
    failed: "设备出现故障，请告诉管理这台设备的人。",
    closing: "设备正在关机，你的问题会保留。",
    gone: "设备没有响应，正在重试……",
    ready: "设备已就绪。",
  },
  demo: "演示模型：只会小学算术。设备管理员可以安装 VibeThinker，它能解的题多得多。",
  caution: "答案由语言模型生成，可能有错：请逐步检查。",
  licences: "许可证",
  basic: "简易页面",
  plainFormulas: "读屏公式",
  plainFormulasMean: "公式会以更多读屏软件能读的形式显示，样子可能简单一些。",
};
