//! `hotlead state move`: every lead's state to where its events are, after the events topic has grown.
//!
//! `hotlead run` wants as many partitions of the state and of the feedback as of the events. So it does not start from
//! the growth of the events to the last step here, which gives the feedback as many; and the counts in between tell the
//! next try how far this one came.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::Message as _;

use super::stock::{Stock, away};
use crate::cli::{exit, files, say};
use crate::codec::feedback::{self, Feedback};
use crate::codec::state::NamesId;
use crate::config::settings::{Settings, Topics};
use crate::core::ids::Partition;
use crate::core::time::Timestamp;
use crate::sink::ledger;
use crate::sink::placement::{Plan, Stray};
use crate::sink::relocation::{self, Relocated, Relocation, WriteFault};
use crate::sink::{TopicFault, TopicSpec, create, instructions, made_anew};
use crate::source::{Begin, Probe, ProbeFault, Reader, Standing};
use crate::telemetry::access::Right;
use crate::telemetry::broker_log::BrokerLog;

/// How long one answer of the brokers may take.
const ASK: Duration = Duration::from_secs(10);

/// How long instances that were stopped may stay members of their group.
const LEAVING: Duration = Duration::from_secs(60);

/// How many strays are named.
const NAMED: usize = 5;

/// What stands when nothing was done.
const UNCHANGED: &str = "this run has changed nothing";

/// Why it ended before its end, and what stands now.
struct Stopped {
    code: u8,
    fault: String,
    stands: String,
}

impl From<(u8, String)> for Stopped {
    fn from((code, fault): (u8, String)) -> Self {
        Self { code, fault, stands: UNCHANGED.to_owned() }
    }
}

impl From<ProbeFault> for Stopped {
    fn from(fault: ProbeFault) -> Self {
        away(fault).into()
    }
}

impl From<String> for Stopped {
    fn from(fault: String) -> Self {
        (exit::UNAVAILABLE, fault).into()
    }
}

/// How many partitions the topics have. The feedback has at most as many as the state, and this at most as many as the
/// events.
#[derive(Clone, Copy)]
struct Counts {
    events: i32,
    state: i32,
    feedback: i32,
    /// Whether there is no topic of feedback yet. It is made first, with the partitions of the state.
    unheard_of: bool,
}

/// Moves every lead's state to where its events are, says what has become of them, and answers with the exit code.
/// States that lie elsewhere than their keys say are refused, or with `leave_strays` stay where they are.
pub fn relocate(config: &Path, leave_strays: bool) -> u8 {
    let settings = match files::settings_with_all_sinks(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match relocated(&settings, leave_strays) {
        Ok(said) => {
            say::lines(said);
            exit::DONE
        }
        Err(Stopped { code, fault, stands }) => {
            say::line(format_args!("{fault}\n{stands}"));
            code
        }
    }
}

fn relocated(settings: &Settings, leave_strays: bool) -> Result<String, Stopped> {
    let (topics, group) = (&settings.topics, &settings.group);
    let probe = Probe::new(&settings.kafka, group, BrokerLog::default())?;
    let counts = counts(settings, &probe)?;
    let Counts { events, state, feedback, .. } = counts;
    if (state, feedback) == (events, events) {
        return Ok(format!("nothing has to move: all topics have {events} partitions\n"));
    }
    let relocation = Relocation::begin(&settings.kafka, &topics.state, &format!("{group}-state-move"))?;
    wait_until_empty(settings, &probe)?;
    let mut stock = Stock::written(settings, state)?;
    let unread: u64 = standing(&probe, &topics.events, feedback)?.into_iter().map(Standing::unread).sum();
    let erased = erased(settings, &probe, counts)?;
    tell_sinks(settings, &probe, &erased)?;
    let erased: Vec<(String, Partition)> = erased.into_iter().filter(|at| stock.leads.remove(at).is_some()).collect();
    let places = stock.leads.keys().map(|(lead, at)| (lead.as_str(), *at));
    let plan = Plan::new(places, [feedback, state], events);
    if !plan.strays.is_empty() && !leave_strays {
        return Err(strayed(settings, &plan.strays, stock.leads.len()).into());
    }
    let records = records(&stock, &plan, &erased)?;
    if probe.members(group, ASK)? > 0 {
        return Err(format!("an instance of group {group} has been started meanwhile: stop it").into());
    }
    write(settings, counts, relocation, &records)?;
    relocation::grow(&settings.kafka, &topics.feedback, events).map_err(|fault| Stopped {
        code: exit::UNAVAILABLE,
        fault,
        stands: format!(
            "the leads have moved, only {} has still {feedback} partitions, without which `hotlead run` does not start: \
             run this again, or give it as many:\n    {}",
            topics.feedback,
            grow_command(settings, &topics.feedback, events)
        ),
    })?;
    Ok(said(settings, &plan, (stock.leads.len(), erased.len()), unread))
}

/// How many partitions there are; refuses what cannot be moved.
fn counts(settings: &Settings, probe: &Probe) -> Result<Counts, Stopped> {
    let Topics { events, state, feedback, .. } = &settings.topics;
    let ask = |topic: &str, right| probe.partitions(topic, right, ASK);
    let missing = |topic: &str| format!("topic {topic} does not exist");
    let of_events = ask(events, Right::Read)?.ok_or_else(|| missing(events))?;
    let of_state = ask(state, Right::Write)?.ok_or_else(|| missing(state) + " (`hotlead run` creates it)")?;
    let found = ask(feedback, Right::Read)?;
    let of_feedback = found.unwrap_or(of_state);
    for (topic, count) in [(state, of_state), (feedback, of_feedback)] {
        if count > of_events {
            return Err(made_anew(settings, of_events, topic, count).into());
        }
    }
    if of_feedback > of_state {
        return Err(format!(
            "topic {feedback} has {of_feedback} partitions and {state} only {of_state}: the move gives it more as the last \
             step, and `hotlead run` may start then. Delete it, and it is made anew; erasures that it holds and that no \
             instance has heard have to be asked for again"
        )
        .into());
    }
    Ok(Counts { events: of_events, state: of_state, feedback: of_feedback, unheard_of: found.is_none() })
}

/// Waits until the group has no members. Instances that were just stopped are members until their sessions end; and only
/// a group that was empty shares out the new partitions when it begins again.
fn wait_until_empty(settings: &Settings, probe: &Probe) -> Result<(), Stopped> {
    let group = &settings.group;
    // Brokers do not list a group to whom may not see it, as if it had no members. This question they refuse.
    probe.has_committed(&settings.topics.events, 1, ASK)?;
    let give_up = Instant::now() + LEAVING;
    let mut said = false;
    loop {
        let members = probe.members(group, ASK)?;
        if members == 0 {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(format!(
                "group {group} has {members} members: stop every instance first; one that was killed is a member until its \
                 session has ended (session.timeout.ms)"
            )
            .into());
        }
        if !said {
            said = true;
            say::line(format_args!("waiting for {members} members of group {group} to leave"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How far the group has come. It waits for offsets that belong to open transactions.
fn standing(probe: &Probe, topic: &str, partitions: i32) -> Result<Vec<Standing>, ProbeFault> {
    let give_up = Instant::now() + LEAVING;
    loop {
        match probe.standing(topic, partitions, ASK) {
            Err(ProbeFault::Away(_)) if Instant::now() < give_up => std::thread::sleep(Duration::from_millis(200)),
            ended => return ended,
        }
    }
}

/// States that are to be erased, as the feedback says that no instance has heard: later nobody would look for them here.
fn erased(settings: &Settings, probe: &Probe, counts: Counts) -> Result<BTreeSet<(String, Partition)>, Stopped> {
    let topic = &settings.topics.feedback;
    let mut erased = BTreeSet::new();
    if counts.unheard_of {
        return Ok(erased);
    }
    let heard = standing(probe, topic, counts.feedback)?;
    if heard.iter().all(|standing| standing.unread() == 0) {
        return Ok(erased);
    }
    let group = format!("{}.state", settings.group);
    let opened = Reader::open(&settings.kafka, &group, topic, Begin::Beginning)?;
    let mut reader = opened.ok_or_else(|| format!("topic {topic} does not exist"))?;
    let give_up = Instant::now() + 2 * LEAVING;
    while !reader.at_end() {
        if Instant::now() > give_up {
            return Err(format!("topic {topic} cannot be read to its end").into());
        }
        let Some(message) = reader.next(Duration::from_millis(100))? else {
            continue;
        };
        let partition = message.partition();
        let standing = usize::try_from(partition).ok().and_then(|place| heard.get(place));
        let unheard = standing.is_some_and(|standing| message.offset() >= standing.next);
        // What is no erasure is told by whoever hears it.
        if let (true, Ok(Feedback::Erase { lead })) = (unheard, feedback::read(message.payload())) {
            erased.insert((lead, Partition(partition)));
        }
    }
    Ok(erased)
}

/// Tells the sinks of erasures that no owner of the events will hear of.
fn tell_sinks(settings: &Settings, probe: &Probe, erased: &BTreeSet<(String, Partition)>) -> Result<(), Stopped> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let leads: BTreeSet<&str> = erased.iter().map(|(lead, _)| lead.as_str()).collect();
    for topic in settings.sinks.iter().map(|sink| settings.topics.ledger(&sink.id)).filter(|_| !leads.is_empty()) {
        // A sink that never ran knows nothing of anybody.
        if probe.partitions(&topic, Right::Write, ASK)?.is_some() {
            leads.iter().try_for_each(|lead| ledger::erase(&settings.kafka, &topic, lead, now))?;
        }
    }
    Ok(())
}

/// What is said of leads that are not where their keys say.
fn strayed(settings: &Settings, strays: &[Stray<'_>], all: usize) -> String {
    let named: Vec<String> = strays
        .iter()
        .take(NAMED)
        .map(|Stray { lead, at, expected }| format!("{lead:?} (in {at}, expected in {expected})"))
        .collect();
    format!(
        "{} of {all} states are not in the partition that murmur2 of the lead's key gives: {}{}. So {} is not keyed by lead \
         with Kafka's default partitioner, and where the events of these leads come to now cannot be told. If the others \
         are to be moved, and these stay where they are (they start anew if their events come elsewhere now): hotlead state \
         move --leave-strays",
        strays.len(),
        named.join(", "),
        if strays.len() > NAMED { ", …" } else { "" },
        settings.topics.events,
    )
}

/// A record that is to be written.
struct Record {
    partition: Partition,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    like: Option<Timestamp>,
}

/// Names first, where a partition has not got them: before the first state that is written in them.
fn records(stock: &Stock, plan: &Plan<'_>, erased: &[(String, Partition)]) -> Result<Vec<Record>, Stopped> {
    let mut names: BTreeMap<(Partition, NamesId), Record> = BTreeMap::new();
    let gone = |lead: &str, partition| Record { partition, key: lead.as_bytes().to_vec(), value: None, like: None };
    let mut records: Vec<Record> = erased.iter().map(|(lead, at)| gone(lead, *at)).collect();
    for each in &plan.moves {
        let Some(kept) = stock.leads.get(&(each.lead.to_owned(), each.from)) else { continue };
        let (id, partition) = (kept.names, each.to);
        let known = stock.names.get(&(each.from, id));
        let known = known.ok_or_else(|| {
            let (lead, from) = (each.lead, each.from);
            (exit::SOFTWARE, format!("the state of {lead:?} in partition {from} has no names on the changelog"))
        })?;
        if !stock.names.contains_key(&(partition, id)) {
            let record = || Record { partition, key: known.key.clone(), value: Some(known.value.clone()), like: None };
            names.entry((partition, id)).or_insert_with(record);
        }
        let (key, value) = (each.lead.as_bytes().to_vec(), Some(kept.value()));
        // With its own timestamp, which says since when a lead has been silent.
        records.push(Record { partition, key, value, like: kept.written });
        records.push(gone(each.lead, each.from));
    }
    Ok(names.into_values().chain(records).collect())
}

/// Gives the state its partitions and writes to it.
fn write(
    settings: &Settings,
    Counts { events, state, feedback, unheard_of }: Counts,
    relocation: Relocation<'_>,
    records: &[Record],
) -> Result<(), Stopped> {
    let topics = &settings.topics;
    let code = exit::UNAVAILABLE;
    let not_moved = |fault: String| {
        let stands = format!(
            "no lead has moved. {} has {events} partitions now and {} still {feedback}, so `hotlead run` does not start \
             until this has been run again and is done",
            topics.state, topics.feedback
        );
        Stopped { code, fault, stands }
    };
    if unheard_of {
        make_feedback(settings, feedback)?;
    }
    if state < events {
        relocation::grow(&settings.kafka, &topics.state, events).map_err(|fault| Stopped {
            code,
            fault,
            stands: format!(
                "no lead has moved, and `hotlead run` does not start until this has been run again and is done. The topic \
                 can be given its partitions by hand before that:\n    {}",
                grow_command(settings, &topics.state, events)
            ),
        })?;
    }
    if records.is_empty() {
        return Ok(());
    }
    relocation.wait_for(events).map_err(not_moved)?;
    let records = records.iter().map(|Record { partition, key, value, like }| Relocated {
        partition: *partition,
        key,
        value: value.as_deref(),
        time: *like,
    });
    relocation.write(records).map_err(|fault| match fault {
        WriteFault::None(fault) => not_moved(fault),
        WriteFault::Unknown(fault) => {
            let stands = "all leads have moved or none, which is not known; `hotlead run` does not start until this has \
                          been run again: it finds out, and does the rest";
            Stopped { code, fault, stands: stands.to_owned() }
        }
    })
}

/// Makes the topic of feedback, so that its count keeps `hotlead run` from starting.
fn make_feedback(settings: &Settings, partitions: i32) -> Result<(), Stopped> {
    let topics = &settings.topics;
    let wanted = TopicSpec::of_state(topics, partitions).into_iter().filter(|spec| spec.name == topics.feedback);
    create(&settings.kafka, wanted.collect()).map_err(|fault| match fault {
        TopicFault::Missing(missing) => instructions(&settings.kafka.bootstrap(), &missing).into(),
        TopicFault::Away(text) => text.into(),
    })
}

fn grow_command(settings: &Settings, topic: &str, partitions: i32) -> String {
    let specs = TopicSpec::of_state(&settings.topics, partitions).into_iter();
    let brokers = settings.kafka.bootstrap();
    specs.filter(|spec| spec.name == topic).map(|spec| spec.grow_command(&brokers)).collect()
}

/// What has become of the leads, and what is not as one might think.
fn said(settings: &Settings, plan: &Plan<'_>, (left, erased): (usize, usize), unread: u64) -> String {
    let Topics { events, feedback, .. } = &settings.topics;
    let mut text = format!("{} of {left} leads have moved\n", plan.moves.len());
    if erased > 0 {
        let _ = writeln!(text, "{erased} leads were erased, as {feedback} says and no instance had heard");
    }
    if !plan.strays.is_empty() {
        let strays = plan.strays.len();
        let _ = writeln!(text, "{strays} states stay in a partition that the lead's key does not give");
    }
    if plan.replaced > 0 {
        let _ = writeln!(
            text,
            "{} leads had begun anew between the growth of {events} and the stop: what they did then is forgotten, what \
             was known before is kept",
            plan.replaced
        );
    }
    if unread > 0 {
        let _ = writeln!(
            text,
            "{unread} records of the old partitions of {events} are not read yet: if they are of leads that have moved, \
             they will not find their state and count for themselves, so an alert can be missing or come twice"
        );
    }
    text
}
