//! The pages' fixed texts in Chinese.

use super::{Language, Phrases};
use crate::types::error::Kind;

/// The texts for browsers that prefer Chinese.
pub static PHRASES: Phrases = Phrases {
    language: Language::Chinese,
    tag: "zh-CN",
    intro: "请提一个数学或编程问题,这台答题盒会自己解答。",
    full_page: "打开完整页面(适合较新的浏览器)",
    demo: "演示模型:只会小学算术。管理员可以安装 VibeThinker,它会的多得多。",
    model_loads: "模型正在加载。现在就可以提问,问题会先排队。",
    warning: "答案由语言模型生成,可能有错:请核对每一步。",
    question: "你的问题",
    work: "你自己的解答(需要时填写)",
    own_work: "你自己的解答",
    mode: "模式",
    attempts: "要多可靠?",
    usual_attempts: "按模式默认",
    ask: "提问",
    no_question: "请先输入问题。",
    no_work: "请先写下你自己的解答:这个模式要读它。",
    continued: "这个问题接着前面的答案。",
    yours: "你的问题列表",
    none_yet: "你还没有提过问题。",
    older: "更早的问题",
    is_queued: "排队中",
    is_running: "正在解答",
    is_done: "已解答",
    is_stopped: "已停止",
    is_failed: "失败",
    ask_another: "再提一个问题",
    earlier: "前面的内容",
    waits_for_model: "排队中:等待模型加载。",
    is_next: "排队中:下一个就是你。",
    reads: "正在读题……",
    thinks: "正在思考……",
    answers: "正在写答案……",
    is_interrupted: "答题盒正在关机。重新开机后会接着解答。",
    answered: "已解答。",
    stopped: "已停止。",
    is_cut_off: "到此为止:答案不能再长了。",
    value: "答案",
    thinking: "思考过程",
    first_thinking: "第一次解答的思考过程",
    keep_open: "一直展开思考过程",
    look_again: "现在刷新",
    answer_now: "马上作答",
    stop: "停止",
    delete: "删除",
    delete_for_good: "彻底删除问题和答案",
    go_on: "接着这个答案再问",
    go_on_button: "继续",
    failed: "没有成功",
    back: "回到你的问题列表",
    error,
    about,
};

fn error(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "这样填写无法处理。",
        Kind::TooLong => "内容太长了。",
        Kind::NotFound => "这里没有属于这个浏览器的内容。问题只属于提出它的浏览器。",
        Kind::TooMany => "你排队的问题已经到上限了。请等其中一个解答完。",
        Kind::Busy => "现在提问的人太多。请稍后再试。",
        Kind::Conflict => "这张表单已经用别的内容提交过。请重新打开页面。",
        Kind::Stopped => "答题盒正在关机。请等它重新开机后再问。",
        Kind::Unauthorized => "答题盒不认识这个浏览器。请重新打开页面。",
        Kind::Forbidden => "答题盒没有接受这次提交。没有提问,也没有改动任何内容。",
        Kind::Misdirected => "这台答题盒不叫这个名字。请用它的地址打开。",
        Kind::NoSpace => "答题盒的磁盘满了,不能再接受问题。请告诉管理员。",
        Kind::Internal | Kind::NoModel | Kind::BadModel | Kind::NoMemory | Kind::Environment => {
            "答题盒出了故障。请告诉管理员。"
        }
    }
}

fn about(english: &str) -> Option<&'static str> {
    Some(match english {
        "Solves a mathematics problem step by step; the final answer is in a box" => {
            "逐步解答数学题,最后的答案放在方框里"
        }
        "Solves a programming problem: the algorithm first, then clean code and its complexity" => {
            "解答编程题:先讲算法,再写代码和复杂度"
        }
        "Gives the next idea only, never the full solution" => "只提示下一步,不给出完整解答",
        "Reads a student's own attempt and says where it fails and why" => {
            "批改你自己的解答,指出哪里错、为什么错"
        }
        "Writes a rigorous proof, every claim justified" => "写出严谨的证明,每一步都有理由",
        "Answers briefly, with no special instructions about form" => "简短回答,没有特别的格式要求",
        _ => return None,
    })
}
