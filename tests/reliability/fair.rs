//! Fair scheduling: many clients on one desk, whose shares are counted in tokens as the engine
//! draws them, never in seconds; and the limits of a client and of the queue, over HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::draws::DrawLog;
use crate::support::local_desk::{self, DeskOptions, NEVER, client};
use crate::support::own_process::in_own_process;
use crate::support::{Stream, TestServer, agent, chat, model, wait_until, whole};
use solverbox::desk::{Capacity, Desk, Ticket};
use solverbox::types::job::{Ending, JobId, Question};
use solverbox::types::limits;
use solverbox::types::plan::Drafts;

/// Tokens of a turn.
const TURN: usize = limits::TURN_TOKENS as usize;

#[test]
fn clients_with_one_to_ten_questions_get_the_same_share() {
    in_own_process(|| {
        const QUESTIONS: [usize; 8] = [1, 2, 10, 3, 5, 10, 8, 4];
        let (desk, log) = open(4);
        // Each client's questions take at least 900 tokens, so that no client is done early.
        let mut tickets: Vec<Vec<Ticket>> = QUESTIONS.map(|_| Vec::new()).into();
        for round in 0..10 {
            for (at, &questions) in QUESTIONS.iter().enumerate().filter(|(_, n)| **n > round) {
                let tokens = 900_usize.div_ceil(questions).max(200) as u32;
                let question = long(10 * at + round, tokens);
                tickets[at].push(desk.submit(client(at), question, NEVER).unwrap());
            }
        }
        // While all clients have work: until the first of them has all its answers.
        tickets.iter().for_each(|own| own.iter().for_each(|t| drop(t.record.wait_ended())));
        let over = |own: &Vec<Ticket>| log.end(own[own.len() - 1].job);
        let end = tickets.iter().map(over).min().unwrap();
        let counts = log.counts(0..end);
        let shares: Vec<usize> = tickets.iter().map(|own| drawn(own, &counts)).collect();
        let jain = jains_index(&shares);
        println!("{QUESTIONS:?} questions: {shares:?} tokens, Jain's index {jain:.4}");
        assert!(end > 4_000 && jain >= 0.95, "{shares:?}: {jain}");
    });
}

#[test]
fn a_client_with_one_question_waits_for_at_most_one_turn_of_greedy_clients() {
    in_own_process(|| {
        let (desk, log) = open(4);
        let hogs: Vec<Vec<Ticket>> = (0..3)
            .map(|hog| {
                let ask =
                    |number| desk.submit(client(hog), long(10 * hog + number, 400), NEVER).unwrap();
                (0..10).map(ask).collect()
            })
            .collect();
        // After some turns.
        wait_until("some turns of the greedy clients", || log.len() > 10 * TURN);
        let asked_at = log.len();
        let one = desk.submit(client(9), long(99, 20), NEVER).unwrap();
        one.record.wait_ended();
        let first = log.first(one.job);
        let counts = log.counts(asked_at..first);
        let gained: Vec<usize> = hogs.iter().map(|own| drawn(own, &counts)).collect();
        println!("until the newcomer's first token the greedy clients drew {gained:?}");
        // A client's slots share its turn; a step may overdraw it by a token for each slot, and the
        // newcomer's own prompt takes a few steps.
        let most = TURN + 4 * 8;
        assert!(gained.iter().all(|&gained| gained <= most), "{gained:?}, at most {most} each");
        let last = log.of(hogs[0][9].job);
        assert!(last.is_empty(), "the greedy clients were nearly done");
    });
}

/// With enough slots for both clients, the one with a single question is in every step.
#[test]
fn ten_questions_of_one_client_do_not_delay_another_s_one() {
    in_own_process(|| {
        let (desk, log) = open(4);
        let ten: Vec<Ticket> = (0..10)
            .map(|number| desk.submit(client(1), long(number, 300), NEVER).unwrap())
            .collect();
        wait_until("some turns of the ten questions", || log.len() > 4 * TURN);
        let one = desk.submit(client(2), long(77, 200), NEVER).unwrap();
        one.record.wait_ended();
        let (first, end) = (log.first(one.job), log.end(one.job));
        let counts = log.counts(first..end);
        assert_eq!(counts[&one.job], 200);
        let others: Vec<usize> =
            ten.iter().filter_map(|ticket| counts.get(&ticket.job).copied()).collect();
        println!("during one answer of 200 tokens the others drew {others:?}");
        assert!(others.iter().all(|&tokens| tokens <= 201), "it waited for others: {others:?}");
        assert!(others.iter().sum::<usize>() >= 400, "no other attempt ran: {others:?}");
    });
}

#[test]
fn the_questions_of_a_client_are_served_in_order() {
    in_own_process(|| {
        let (desk, log) = open(3);
        let mut tickets: Vec<Vec<Ticket>> = vec![Vec::new(); 5];
        for number in 0..30 {
            let own = (number * 7) % 5;
            tickets[own].push(desk.submit(client(own), long(number, 40), NEVER).unwrap());
        }
        tickets.iter().flatten().for_each(|ticket| drop(ticket.record.wait_ended()));
        for own in &tickets {
            let firsts: Vec<usize> = own.iter().map(|ticket| log.first(ticket.job)).collect();
            let ends: Vec<usize> = own.iter().map(|ticket| log.end(ticket.job)).collect();
            assert!(
                firsts.is_sorted() && ends.is_sorted(),
                "begun at {firsts:?}, ended at {ends:?}"
            );
        }
    });
}

#[test]
fn a_stopped_answer_ends_within_one_step_and_no_other_does() {
    in_own_process(|| {
        let (desk, log) = open(4);
        let ask = |number| desk.submit(client(number), long(number, 1_500), NEVER).unwrap();
        let tickets: Vec<Ticket> = (0..4).map(ask).collect();
        for (at, ticket) in tickets.iter().enumerate().take(3) {
            let enough = 100 * (at + 1);
            let drew = |ticket: &Ticket| log.of(ticket.job).len();
            wait_until("all to write", || tickets[at..].iter().all(|one| drew(one) > enough));
            desk.stop(ticket.job);
            let stopped_at = log.len();
            ticket.record.wait_ended();
            let after = log.counts(stopped_at..log.len());
            assert!(after.get(&ticket.job).copied().unwrap_or(0) <= 1, "{after:?}");
        }
        let last = tickets[3].record.wait_ended();
        assert_eq!(last.figures.completion_tokens, 1_500, "{:?}", last.outcome);
    });
}

fn open(sequences: u32) -> (Desk, DrawLog) {
    let capacity = Capacity { line_jobs_max: 100, client_jobs_max: 100 };
    let (model, drafts) = (model(), Drafts::Off);
    local_desk::open(&DeskOptions {
        model: &model,
        context_tokens: 4_096,
        sequences,
        drafts,
        capacity,
    })
}

/// A question whose answer has exactly `tokens` tokens.
fn long(number: usize, tokens: u32) -> Question {
    let mut question = local_desk::question("plain", &format!("What is {number} + 1?"), 0.0);
    (question.ending, question.budget_tokens) = (Ending::Budget, tokens);
    question
}

fn drawn(tickets: &[Ticket], counts: &BTreeMap<JobId, usize>) -> usize {
    local_desk::jobs(tickets).iter().map(|job| counts.get(job).copied().unwrap_or(0)).sum()
}

/// R. Jain, D. Chiu and W. Hawe, "A quantitative measure of fairness" (DEC-TR-301, 1984): 1 if all
/// shares are equal, 1/n if one client has everything.
fn jains_index(shares: &[usize]) -> f64 {
    let sum: usize = shares.iter().sum();
    let squares: usize = shares.iter().map(|share| share * share).sum();
    (sum * sum) as f64 / (shares.len() * squares) as f64
}

/// The header line that identifies a client by its key.
fn known_as(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// Submits a chat request with a client's key; returns status, `Retry-After` and body.
fn post_as(served: &TestServer, key: &str, body: &str) -> (u16, String, Value) {
    let post = agent().post(served.url("/v1/chat/completions"));
    let reply = post.header("Authorization", format!("Bearer {key}")).send(body).unwrap();
    let after = reply.headers().get("Retry-After");
    let after = after.map(|after| after.to_str().unwrap().to_string()).unwrap_or_default();
    let (status, body) = whole(reply);
    (status, after, serde_json::from_str(&body).unwrap())
}

/// Opens a stream that runs until it is dropped.
fn hog(served: &TestServer, key: &str) -> Stream {
    let endless = json!({"stream": true, "ignore_eos": true, "max_tokens": 100_000});
    served.stream_as(&known_as(key), &chat(endless))
}

#[test]
fn a_client_with_too_many_questions_is_refused_and_others_are_not() {
    let served = TestServer::ready(&["--client-jobs-max", "2", "--context-tokens", "8192"]);
    let mut hogs = [hog(&served, "a"), hog(&served, "a")];
    hogs.iter_mut().for_each(|hog| drop(hog.wait_for("delta")));
    let (status, after, body) = post_as(&served, "a", &chat(json!({})));
    assert_eq!((status, &body["error"]["code"]), (429, &json!("too_many")), "{body}");
    assert!((1..=600).contains(&after.parse().unwrap()), "{after}");
    let (status, _, body) = post_as(&served, "b", &chat(json!({"max_tokens": 3})));
    assert_eq!(status, 200, "{body}");
    drop(hogs);
    wait_until("the dropped questions to end", || {
        post_as(&served, "a", &chat(json!({"max_tokens": 1}))).0 == 200
    });
}

#[test]
fn a_waiting_client_gets_its_position_and_an_estimate() {
    let served = TestServer::ready(&["--sequences", "1", "--context-tokens", "8192"]);
    let mut first = hog(&served, "a");
    first.wait_for_text();
    let mut second = hog(&served, "b");
    let told = second.wait_for(": eta ");
    let seconds =
        told.trim_start_matches(": eta ").split(' ').map(|number| number.parse().unwrap());
    let seconds: Vec<f64> = seconds.collect();
    assert!(seconds.len() == 3 && seconds[1] <= seconds[0] && seconds[0] <= seconds[2], "{told}");
    assert!(seconds[0] > 0.0, "{told}");
}

#[test]
fn a_full_queue_refuses_every_client_with_a_retry_time() {
    let args = ["--queue-jobs-max", "1", "--sequences", "1", "--context-tokens", "8192"];
    let served = TestServer::ready(&args);
    let mut first = hog(&served, "a");
    first.wait_for("running");
    let mut second = hog(&served, "b");
    second.wait_for("running");
    wait_until("the queue to be full", || {
        let (status, after, body) = post_as(&served, "c", &chat(json!({"max_tokens": 1})));
        if status == 200 {
            return false;
        }
        assert_eq!((status, &body["error"]["code"]), (503, &json!("busy")), "{body}");
        (1..=600).contains(&after.parse().unwrap())
    });
}
