// Chinese words for what can go wrong with a request: a sentence for each kind of error, and a way
// out for a pupil.

import type { client as english } from "../en/client.ts";

export const client: typeof english = {
  errors: {
    bad_request: {
      what: "设备读不懂这个请求。",
      remedy: "请稍作修改再试一次。如果还是不行，请刷新页面。",
    },
    unauthorized: {
      what: "设备已经不认识这个浏览器了。",
      remedy: "请刷新页面，再试一次。",
    },
    forbidden: {
      what: "设备不允许这样做。",
      remedy: "请询问管理这台设备的人。",
    },
    not_found: {
      what: "这个问题已经不在设备里，或者是在另一个浏览器里提出的。",
      remedy: "请到“我的问题”里找一找，或者重新提问。",
    },
    conflict: {
      what: "问题在提交的过程中被修改了。",
      remedy: "请再按一次按钮。",
    },
    too_long: {
      what: "内容太长，设备处理不了。",
      remedy: "请缩短一些，或者分成两次来问。",
    },
    misdirected: {
      what: "设备不在这个地址上应答。",
      remedy: "请向管理这台设备的人询问正确的地址。",
    },
    too_many: {
      what: "你还没有得到回答的问题已经达到上限。",
      remedy: "请等其中一个答完，或者到“我的问题”里停止一个。",
    },
    internal: {
      what: "设备内部出了差错。",
      remedy: "请再试一次。如果又出现，请告诉管理这台设备的人。",
    },
    bad_model: {
      what: "这台设备的模型不能正常工作。",
      remedy: "请告诉管理这台设备的人。",
    },
    environment: {
      what: "设备无法使用磁盘或网络。",
      remedy: "请告诉管理这台设备的人。",
    },
    busy: {
      what: "设备现在太忙了。",
      remedy: "请稍等一会儿，再试一次。",
    },
    stopped: {
      what: "这件事还没做完，设备就停止了。",
      remedy: "请过一分钟再试。如果又出现，请换一种说法提问。",
    },
    no_model: {
      what: "这台设备还没有模型，所以不能回答。",
      remedy: "请告诉管理这台设备的人：需要装一个模型文件。",
    },
    no_memory: {
      what: "设备的内存不够。",
      remedy: "请减少解答次数，或者告诉管理这台设备的人。",
    },
    no_space: {
      what: "设备的磁盘已满，不能接收新问题。",
      remedy: "请在“我的问题”里删除一些旧问题，或者告诉管理这台设备的人。",
    },
    unreachable: {
      what: "连接不到设备。",
      remedy: "请确认设备已经开机，并且你连的是它所在的网络，然后再试一次。",
    },
    nonsense: {
      what: "收到的不是这台设备的答复。",
      remedy: "可能需要先登录网络，登录后请刷新页面。",
    },
  },
  again: (seconds) => `请在 ${seconds} 秒后再试。`,
  againNow: "现在可以再试了。",
  tryAgain: "再试一次",
};
