//! One pass over a record's JSON: checks all of it and notes where the wanted values are.

use super::guess::Guesses;
use super::scan::{self, Fault, Json, Scanned};
use super::stops::Stops;
use super::tree::{self, NodeId, Tree};
use crate::core::event::{Shape, Slot};
use crate::core::limits::{MAX_DEPTH, MAX_LIST_ITEMS};

/// What a pass found: one slot for each node of the tree. Reused from record to record.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By [`NodeId`].
    pub(super) values: Vec<Slot>,
    /// Items of lists.
    pub(super) items: Vec<Slot>,
    /// Text that had escapes.
    pub(super) written: String,
    /// The values that are not absent, and perhaps some that are: what the next pass has to clear.
    touched: Vec<NodeId>,
    stops: Stops,
    guesses: Guesses,
    /// A key that had escapes.
    key: String,
}

impl Found {
    /// Every node that the record has a value for, and perhaps some that it has none for.
    pub(super) fn touched(&self) -> &[NodeId] {
        &self.touched
    }
}

/// Reads a whole record. `out` is replaced; after a fault it holds what was found before it.
pub(super) fn walk(text: &str, tree: &Tree, out: &mut Found) -> Result<(), Fault> {
    out.values.resize(tree.len(), Slot::default());
    out.guesses.resize(tree.objects);
    for node in out.touched.drain(..) {
        out.values[usize::from(node)] = Slot::default();
    }
    out.items.clear();
    out.written.clear();
    let bytes = text.as_bytes();
    let mut stops = std::mem::take(&mut out.stops);
    stops.find(bytes);
    let json = Json { bytes, stops: stops.words() };
    let mut walk = Walk { text, json, tree, out };
    let start = scan::blanks(bytes, 0);
    let end = walk.value(start, 0, 0);
    out.stops = stops;
    let end = scan::blanks(bytes, end?);
    if end == text.len() { Ok(()) } else { Err(Fault::NotJson(end)) }
}

struct Walk<'a> {
    text: &'a str,
    json: Json<'a>,
    tree: &'a Tree,
    out: &'a mut Found,
}

impl Walk<'_> {
    /// The wanted value of a node. Recursion ends where the tree does, and at [`MAX_DEPTH`].
    #[inline(always)]
    fn value(&mut self, at: usize, node: NodeId, depth: usize) -> Scanned {
        let index = usize::from(node);
        // A repeated key: the last one counts, with nothing left of what was inside the earlier one.
        if self.out.values[index].shape != Shape::Absent {
            let end = usize::from(self.tree.node(node).end);
            self.out.values[index..end].fill(Slot::default());
        }
        self.out.touched.push(node);
        let (slot, end) = match self.json.bytes.get(at) {
            Some(b'{' | b'[') => return self.container(at, node, depth),
            _ => self.scalar(at)?,
        };
        self.out.values[index] = slot;
        Ok(end)
    }

    fn container(&mut self, at: usize, node: NodeId, depth: usize) -> Scanned {
        let index = usize::from(node);
        let wanted = self.tree.node(node);
        if self.json.bytes[at] == b'{' {
            self.out.values[index] = slot(Shape::Object, at, at);
            return if wanted.has_children() {
                self.object(at, node, depth)
            } else {
                scan::value(self.json, at, depth)
            };
        }
        let first = self.out.items.len();
        let end = if wanted.is_read { self.list(at, depth)? } else { scan::value(self.json, at, depth)? };
        self.out.values[index] = slot(Shape::List, first, self.out.items.len());
        Ok(end)
    }

    fn object(&mut self, at: usize, node: NodeId, depth: usize) -> Scanned {
        let bytes = self.json.bytes;
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(at));
        }
        let mut at = scan::blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        let object = self.tree.node(node).object;
        for member in 0.. {
            let (start, child) = match self.out.guesses.look(object, member, bytes, at) {
                Some((start, child)) => (scan::blanks(bytes, start), child),
                None => self.key(at, node, member)?,
            };
            at = match (child, bytes.get(start)) {
                (Some(child), _) => self.value(start, child, depth + 1)?,
                (None, Some(b'"')) => scan::string(self.json, start + 1)?.0 + 1,
                (None, _) => scan::value(self.json, start, depth + 1)?,
            };
            at = scan::blanks(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = scan::blanks(bytes, at + 1),
                Some(b'}') => break,
                _ => return Err(Fault::NotJson(at)),
            }
        }
        Ok(at + 1)
    }

    /// A key with its colon: where its value begins, and which child it is.
    fn key(&mut self, at: usize, node: NodeId, member: usize) -> Result<(usize, Option<NodeId>), Fault> {
        let bytes = self.json.bytes;
        if bytes.get(at) != Some(&b'"') {
            return Err(Fault::NotJson(at));
        }
        let start = at + 1;
        let (end, has_escapes) = scan::string(self.json, start)?;
        let wanted = self.tree.node(node);
        let child = if has_escapes {
            self.escaped_child(node, start, end)
        } else {
            let head = tree::head_of(bytes, start, end - start);
            wanted.child(head, &bytes[start..end])
        };
        let value = scan::expect(bytes, scan::blanks(bytes, end + 1), b':')?;
        let text = &bytes[at..value];
        self.out.guesses.learn(wanted.object, member, text, child);
        Ok((value, child))
    }

    #[cold]
    fn escaped_child(&mut self, node: NodeId, start: usize, end: usize) -> Option<NodeId> {
        let key = &mut self.out.key;
        key.clear();
        scan::unescape(&self.text[start..end], key);
        self.tree.node(node).child(tree::head(key), key.as_bytes())
    }

    /// The items of a list, up to the limit; objects and lists among them only exist.
    fn list(&mut self, at: usize, depth: usize) -> Scanned {
        let bytes = self.json.bytes;
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(at));
        }
        let most = self.out.items.len() + MAX_LIST_ITEMS;
        let mut at = scan::blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        loop {
            let (item, end) = match bytes.get(at) {
                Some(b'{' | b'[') => (slot(Shape::Object, at, at), scan::value(self.json, at, depth + 1)?),
                _ if self.out.items.len() >= most => (Slot::default(), scan::value(self.json, at, depth + 1)?),
                _ => self.scalar(at)?,
            };
            if self.out.items.len() < most {
                self.out.items.push(item);
            }
            at = scan::blanks(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = scan::blanks(bytes, at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(Fault::NotJson(at)),
            }
        }
    }

    /// Text, a number, a truth value or null.
    #[inline(always)]
    fn scalar(&mut self, at: usize) -> Result<(Slot, usize), Fault> {
        let bytes = self.json.bytes;
        Ok(match bytes.get(at) {
            Some(b'"') => {
                let start = at + 1;
                let (end, has_escapes) = scan::string(self.json, start)?;
                let slot = if has_escapes {
                    self.written(start, end)
                } else if is_blank(&self.text[start..end]) {
                    Slot::default()
                } else {
                    slot(Shape::Text, start, end)
                };
                (slot, end + 1)
            }
            Some(b't') => (slot(Shape::True, at, at + 4), scan::word(bytes, at, "true")?),
            Some(b'f') => (slot(Shape::False, at, at + 5), scan::word(bytes, at, "false")?),
            Some(b'n') => (Slot::default(), scan::word(bytes, at, "null")?),
            _ => {
                let end = scan::number(bytes, at)?;
                (slot(Shape::Number, at, end), end)
            }
        })
    }

    #[cold]
    fn written(&mut self, start: usize, end: usize) -> Slot {
        let from = self.out.written.len();
        scan::unescape(&self.text[start..end], &mut self.out.written);
        if is_blank(&self.out.written[from..]) {
            return Slot::default();
        }
        slot(Shape::Written, from, self.out.written.len())
    }
}

/// A slot. Positions fit: a record has at most `MAX_RECORD` bytes.
#[inline(always)]
pub(super) fn slot(shape: Shape, start: usize, end: usize) -> Slot {
    Slot { shape, start: start as u32, end: end as u32 }
}

/// Whether a text says nothing.
#[inline(always)]
pub(super) fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(byte) if byte.is_ascii_graphic() => false,
        _ => text.trim_start().is_empty(),
    }
}
