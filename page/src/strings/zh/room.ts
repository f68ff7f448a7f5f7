// Chinese words of the room: connecting, a shared question, the projector, the kiosk.

import type { room as english } from "../en/room.ts";

export const room: typeof english = {
  codeOf: (address) => `二维码：${address}`,

  connect: {
    title: "用自己的手机或电脑来提问",
    how: "先连接到与这台设备相同的网络，再用相机扫描二维码，或者在浏览器里输入地址。",
    loading: "正在查找这台设备的地址……",
    number: "任何手机和电脑都能用。",
    name: "大多数手机和电脑能用；打不开时，请用数字地址。",
    onlyName: "如果打不开，请向管理这台设备的人询问数字地址。",
    none: "其他手机和电脑连不上这台设备，因为它只在这台电脑上提供服务。",
    way: "管理这台设备的人可以改变这一点：像下面这样启动，然后重新加载本页：",
  },

  share: {
    button: "带走",
    title: "把这道题带走",
    how: "用手机扫描二维码。只要手机和这台设备在同一个网络里，就能看到这道题和它的答案。",
    rights: "拿到链接的人只能查看这道题和答案，看不到别的。收回链接或删除这道题以后，链接就失效。",
    making: "正在生成链接……",
    none: "其他手机和电脑还连不上这台设备，链接暂时没有用。",
    copy: "复制链接",
    big: "用大字显示（适合投影）",
    withdraw: "收回链接",
    withdrawing: "正在收回……",
    withdrawn: "链接已失效。",
    close: "关闭",
  },

  shared: {
    about: "有人把这道题和它的答案分享给了你，你可以在这里查看。",
    loading: "正在读取题目……",
    withdrawn: "这个链接已失效。",
    why: "分享的人收回了链接，或者题目已被删除。",
    withdrawnNow: "链接已被收回。在关闭本页之前，你仍能看到现有的内容。",
    ask: "自己提一个问题",
    question: "题目",
    work: "自己的解答",
  },

  projector: {
    label: "大字显示题目和答案",
    answer: "答案",
    waiting: "答案还没有出来。",
    hint: "按 → 或空格键显示下一部分，按 ← 收回。",
    next: "显示下一部分",
    back: "收回这一部分",
    place: (shown, all) => `${shown} / ${all}`,
  },

  keypad: {
    label: "屏幕键盘",
    letters: "字母",
    mathematics: "数学符号",
    signs: "更多符号",
    shift: "大写字母",
    back: "删除",
    undo: "撤销",
    left: "向左移动",
    right: "向右移动",
    space: "空格",
    enter: "换行",
    fold: "收起键盘",
    open: "键盘",
  },

  kiosk: {
    done: "我用完了",
    title: "你还在吗？",
    clears: (seconds) => `${seconds} 秒后，本页会为下一位同学清空，你的问题和答案都会删除。`,
    stay: "我还在",
    now: "立即清空",
    leaving: "请稍等：正在为下一位同学清空本页……",
    gone: "设备没有响应，恢复后会立即清空本页。",
  },
};
