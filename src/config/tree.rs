//! YAML text to a tree in which every value and key knows its place; budgets stop hostile files early.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, Tag};

use super::fault::{Faults, Place, quote};
use super::scalar::{Scalar, ScalarKind};
use crate::core::limits::{MAX_FILE, MAX_NESTING, MAX_NODES};

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map with its value; keys are texts whatever they look like.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

/// Reads a file's only document; `None` after a fault that leaves nothing to look at.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > MAX_FILE {
        let message = format!("must have at most {MAX_FILE} bytes, got {}", text.len());
        faults.add(Place::START, "file", message);
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    match builder.read(text, faults) {
        Ok(root) => Some(root),
        Err((place, message)) => {
            faults.add(place, "yaml", message);
            None
        }
    }
}

/// Where reading stopped, and why.
type Stop = (Place, String);

/// A node that an anchor names, with what following an alias to it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

/// A list or map that is not closed yet.
struct Open {
    place: Place,
    anchor: usize,
    nodes_before: usize,
    height: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The line of each key so far.
    lines: HashMap<String, u32>,
    /// A key whose value has not come yet.
    pending: Option<(String, Place)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    /// Nodes kept a second time because an anchor names them.
    kept: usize,
    root: Option<Node>,
}

impl Builder {
    fn read(&mut self, text: &str, faults: &mut Faults) -> Result<Node, Stop> {
        // Comments are not asked for: the parser would hold at most 96 in a row.
        let options = granit_parser::options! { emit_comments: false, disallow_directives: true };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| (place(error.marker()), error.info()))?;
            let at = place(&span.start);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err((at, "only one document belongs in a file".into()));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let scalar = scalar(text, style, tag.as_deref()).map_err(|m| (at, m))?;
                    self.count(1, at)?;
                    let node = Node { place: at, value: Value::Scalar(scalar) };
                    self.close(node, anchor, 1, 0, faults)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.begin(at, anchor, tag.as_deref(), Inside::List(Vec::new()))?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.begin(at, anchor, tag.as_deref(), Inside::Map(OpenMap::default()))?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(faults)?,
                Event::Alias(id) => self.follow(id, at, faults)?,
                _ => {}
            }
        }
        self.root.take().ok_or((Place::START, "the file is empty".into()))
    }

    fn count(&mut self, nodes: usize, at: Place) -> Result<(), Stop> {
        self.nodes += nodes;
        within_budget(self.nodes, at)
    }

    fn begin(&mut self, place: Place, anchor: usize, tag: Option<&Tag>, inside: Inside) -> Result<(), Stop> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return Err((place, unknown_tag(tag)));
        }
        let nodes_before = self.nodes;
        self.count(1, place)?;
        if self.open.len() >= MAX_NESTING {
            return Err((place, too_deep()));
        }
        self.open.push(Open { place, anchor, nodes_before, height: 0, inside });
        Ok(())
    }

    fn end(&mut self, faults: &mut Faults) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.inside {
            Inside::List(list) => Value::List(list),
            Inside::Map(map) => Value::Map(map.entries),
        };
        let node = Node { place: open.place, value };
        let nodes = self.nodes - open.nodes_before;
        self.close(node, open.anchor, nodes, open.height + 1, faults)
    }

    fn follow(&mut self, id: usize, at: Place, faults: &mut Faults) -> Result<(), Stop> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err((at, "an alias must not stand inside what it names".into()));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        if self.open.len() + height > MAX_NESTING {
            return Err((at, too_deep()));
        }
        // Counted before it is copied: a bomb costs nothing.
        self.nodes += nodes;
        within_budget(self.nodes, at)?;
        let value = anchored.node.value.clone();
        self.close(Node { place: at, value }, 0, nodes, height, faults)
    }

    /// Puts a complete node where it belongs: into the innermost open list or map, or at the top.
    fn close(
        &mut self,
        node: Node,
        anchor: usize,
        nodes: usize,
        height: usize,
        faults: &mut Faults,
    ) -> Result<(), Stop> {
        if anchor != 0 {
            self.kept += nodes;
            within_budget(self.kept, node.place)?;
            let node = node.clone();
            let anchored = Anchored { node, nodes, height };
            self.anchors.insert(anchor, anchored);
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.height = open.height.max(height);
        let map = match &mut open.inside {
            Inside::List(list) => {
                list.push(node);
                return Ok(());
            }
            Inside::Map(map) => map,
        };
        let Some((key, place)) = map.pending.take() else {
            let Value::Scalar(scalar) = node.value else {
                return Err((node.place, "a key must be a text".into()));
            };
            map.pending = Some((scalar.raw, node.place));
            return Ok(());
        };
        if let Some(line) = map.lines.get(&key) {
            let message = format!("stands twice, first on line {line}");
            faults.add(place, &self.path_of(&key), message);
        } else {
            map.lines.insert(key.clone(), place.line);
            map.entries.push(Entry { key, place, node });
        }
        Ok(())
    }

    /// The path of a key of the innermost open map.
    fn path_of(&self, key: &str) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.inside {
                Inside::List(list) => path.push_str(&format!("[{}]", list.len())),
                Inside::Map(OpenMap { pending: Some((key, _)), .. }) => path = join(&path, key),
                Inside::Map(_) => {}
            }
        }
        join(&path, key)
    }
}

/// A key's path from that of its map.
pub(super) fn join(path: &str, key: &str) -> String {
    const SHOWN: usize = 100;
    let key: String = key.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect();
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn within_budget(nodes: usize, at: Place) -> Result<(), Stop> {
    if nodes > MAX_NODES {
        return Err((at, format!("more than {MAX_NODES} values, aliases followed")));
    }
    Ok(())
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
    let plain = match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) if tag.is_yaml_core_schema_tag("str") => false,
        Some(tag) if tag.is_yaml_core_schema() => true,
        Some(tag) => return Err(unknown_tag(tag)),
    };
    let kind = if plain { ScalarKind::of_plain(&text) } else { ScalarKind::Text };
    Ok(Scalar { raw: text.into_owned(), kind })
}

fn unknown_tag(tag: &Tag) -> String {
    format!("tags have no meaning here, got {}", quote(&tag.original()))
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_NESTING} levels")
}

fn place(marker: &Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(marker.line().max(1)), column: number(marker.col() + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree in one line: scalars with their places.
    fn shown(node: &Node) -> String {
        let Place { line, column } = node.place;
        match &node.value {
            Value::Scalar(scalar) => format!("{}@{line}:{column}", scalar.raw),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(shown).collect();
                format!("[{}]", items.join(" "))
            }
            Value::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|e| format!("{}@{}:{}={}", e.key, e.place.line, e.place.column, shown(&e.node)))
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        #[rustfmt::skip]
        let rows = [
            ("a: 1\nb:\n  - x\n  - { c: 'y z' }\n", "{a@1:1=1@1:4 b@2:1=[x@3:5 {c@4:7=y z@4:10}]}"),
            ("\u{feff}a: ü\n", "{a@1:1=ü@1:4}"),
            ("ä: { ö: 1 }", "{ä@1:1={ö@1:6=1@1:9}}"),
            ("a: &x [1]\nb: *x\n", "{a@1:1=[1@1:8] b@2:1=[1@1:8]}"),
            ("--- \n404: >-\n  two\n  lines\n", "{404@2:1=two lines@3:3}"),
        ];
        for (text, want) in rows {
            let mut faults = Faults::new("f");
            let root = parse(text, &mut faults).map(|root| shown(&root));
            assert_eq!(root.as_deref(), Some(want), "{text:?} {faults}");
        }
    }

    #[test]
    fn tags_of_the_core_schema_count_and_quotes_make_texts() {
        let mut faults = Faults::new("f");
        let root = parse("[5, '5', !!str 5, !!int \"5\", ~, \"~\"]", &mut faults).expect("a list");
        let Value::List(items) = root.value else { panic!("a list") };
        let kinds: Vec<_> = items
            .iter()
            .map(|item| match &item.value {
                Value::Scalar(scalar) => scalar.kind,
                _ => panic!("scalars"),
            })
            .collect();
        let (five, text) = (ScalarKind::Number(5.0), ScalarKind::Text);
        assert_eq!(kinds, [five, text, text, five, ScalarKind::Null, text]);
    }

    #[test]
    fn nesting_counts_through_aliases() {
        let half = format!("{}{}", "[".repeat(40), "]".repeat(40));
        let text = format!("a: &a {half}\nb: {}*a{}\n", "[".repeat(40), "]".repeat(40));
        let mut faults = Faults::new("f");
        assert!(parse(&text, &mut faults).is_none());
        assert!(faults.to_string().contains("nested deeper"), "{faults}");
    }
}
