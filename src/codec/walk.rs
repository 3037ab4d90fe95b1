//! One pass over a record's JSON: checks all of it and notes where the wanted values are.

use super::guess::{Guesses, Member};
use super::scan::{self, Fault, Json, Scanned};
use super::stops::Stops;
use super::tree::{self, NodeId, Tree};
use crate::core::event::{Shape, Slot};
use crate::core::limits::{MAX_DEPTH, MAX_LIST_ITEMS};

/// What a pass found: one slot for each node of the tree. Reused from record to record.
#[derive(Debug)]
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
    /// Nothing found, with room for all that this tree wants.
    pub(super) fn new(tree: &Tree) -> Self {
        Self {
            values: vec![Slot::default(); tree.len()],
            items: Vec::new(),
            written: String::new(),
            touched: Vec::with_capacity(tree.len()),
            stops: Stops::default(),
            guesses: Guesses::new(tree.objects),
            key: String::new(),
        }
    }

    /// Every node that the record has a value for, and perhaps some that it has none for.
    pub(super) fn touched(&self) -> &[NodeId] {
        &self.touched
    }
}

/// Reads a whole record. `out` is of this tree and replaced; after a fault it holds what was found before it.
pub(super) fn walk(text: &str, tree: &Tree, out: &mut Found) -> Result<(), Fault> {
    for node in out.touched.drain(..) {
        out.values[usize::from(node)] = Slot::default();
    }
    out.items.clear();
    out.written.clear();
    let Found { values, items, written, touched, stops, guesses, key } = out;
    let bytes = text.as_bytes();
    stops.find(bytes);
    let json = Json { bytes, stops: stops.words() };
    let mut walk = Walk { text, json, tree, values, touched, items, written, guesses, key };
    let start = scan::blanks(bytes, 0);
    let end = walk.value(start, 0, 0)?;
    let end = scan::blanks(bytes, end);
    if end == text.len() { Ok(()) } else { Err(Fault::NotJson(end)) }
}

struct Walk<'a> {
    text: &'a str,
    json: Json<'a>,
    tree: &'a Tree,
    values: &'a mut [Slot],
    touched: &'a mut Vec<NodeId>,
    items: &'a mut Vec<Slot>,
    written: &'a mut String,
    guesses: &'a mut Guesses,
    key: &'a mut String,
}

/// What comes after a value in an object, or after its opening brace.
enum Next {
    /// A member whose value begins here, after its opening quote if it is known to be text.
    Member(usize, Member),
    /// Nothing: the object ends before this place.
    End(usize),
}

impl Walk<'_> {
    /// The wanted value of a node. Recursion ends where the tree does, and at [`MAX_DEPTH`].
    #[inline(always)]
    fn value(&mut self, at: usize, node: NodeId, depth: usize) -> Scanned {
        match self.json.bytes.get(at) {
            Some(b'{' | b'[') => self.container(at, node, depth),
            _ => {
                let (slot, end) = self.scalar(at)?;
                self.put(node, slot);
                Ok(end)
            }
        }
    }

    /// Notes a value.
    #[inline(always)]
    fn put(&mut self, node: NodeId, slot: Slot) {
        let index = usize::from(node);
        if !self.values[index].is_absent() {
            self.forget(node);
        }
        self.values[index] = slot;
        self.touched.push(node);
    }

    /// A repeated key: the last one counts, with nothing left of what was inside the earlier one.
    #[cold]
    fn forget(&mut self, node: NodeId) {
        let end = usize::from(self.tree.node(node).end);
        self.values[usize::from(node)..end].fill(Slot::default());
    }

    fn container(&mut self, at: usize, node: NodeId, depth: usize) -> Scanned {
        let wanted = self.tree.node(node);
        if self.json.bytes[at] == b'{' {
            self.put(node, Slot::new(Shape::Object, at, at));
            return if wanted.has_children() {
                self.object(at, node, depth)
            } else {
                scan::value(self.json, at, depth)
            };
        }
        let first = self.items.len();
        let end = if wanted.is_read { self.list(at, depth)? } else { scan::value(self.json, at, depth)? };
        self.put(node, Slot::new(Shape::List, first, self.items.len()));
        Ok(end)
    }

    fn object(&mut self, mut at: usize, node: NodeId, depth: usize) -> Scanned {
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(at));
        }
        let json = self.json;
        let object = self.tree.node(node).object;
        for number in 0.. {
            if json.bytes.get(at) == Some(&b'}') {
                return Ok(at + 1);
            }
            let (start, member) = match self.guesses.look(object, number, json.bytes, at) {
                Some(guess) => guess,
                None => match self.member(at, node, number)? {
                    Next::Member(start, member) => (start, member),
                    Next::End(end) => return Ok(end),
                },
            };
            at = if member.is_text {
                let (end, has_escapes) = scan::string(json, start)?;
                if let Some(child) = member.child {
                    let slot = self.string(start, end, has_escapes);
                    self.put(child, slot);
                }
                end + 1
            } else {
                let start = scan::blanks(json.bytes, start);
                match member.child {
                    Some(child) => self.value(start, child, depth + 1)?,
                    None => scan::value(json, start, depth + 1)?,
                }
            };
        }
        Ok(at)
    }

    /// The next member up to its value, read token by token; after the opening brace if it is the first.
    #[inline(never)]
    fn member(&mut self, at: usize, node: NodeId, number: usize) -> Result<Next, Fault> {
        let bytes = self.json.bytes;
        let comma = scan::blanks(bytes, at);
        let key = match bytes.get(comma) {
            Some(b'{') if number == 0 => scan::blanks(bytes, comma + 1),
            Some(b',') if number > 0 => scan::blanks(bytes, comma + 1),
            Some(b'}') => return Ok(Next::End(comma + 1)),
            _ => return Err(Fault::NotJson(comma)),
        };
        match bytes.get(key) {
            Some(b'"') => {}
            Some(b'}') if number == 0 => return Ok(Next::End(key + 1)),
            _ => return Err(Fault::NotJson(key)),
        }
        let (start, child) = self.key(key + 1, node)?;
        let is_text = bytes.get(start) == Some(&b'"');
        let start = start + usize::from(is_text);
        let member = Member { child, is_text };
        self.guesses.learn(self.tree.node(node).object, number, bytes, (at, start), member);
        Ok(Next::Member(start, member))
    }

    /// A key from after its opening quote to its colon: where its value begins, and which child it is.
    fn key(&mut self, start: usize, node: NodeId) -> Result<(usize, Option<NodeId>), Fault> {
        let bytes = self.json.bytes;
        let (end, has_escapes) = scan::string(self.json, start)?;
        let wanted = self.tree.node(node);
        let child = if has_escapes {
            self.escaped_child(node, start, end)
        } else {
            let head = tree::head_of(bytes, start, end - start);
            wanted.child(head, &bytes[start..end])
        };
        let value = scan::expect(bytes, scan::blanks(bytes, end + 1), b':')?;
        Ok((value, child))
    }

    #[cold]
    fn escaped_child(&mut self, node: NodeId, start: usize, end: usize) -> Option<NodeId> {
        self.key.clear();
        scan::unescape(&self.text[start..end], self.key);
        self.tree.node(node).child(tree::head(self.key), self.key.as_bytes())
    }

    /// The items of a list, up to the limit; objects and lists among them only exist.
    fn list(&mut self, at: usize, depth: usize) -> Scanned {
        let bytes = self.json.bytes;
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(at));
        }
        let most = self.items.len() + MAX_LIST_ITEMS;
        let mut at = scan::blanks(bytes, at + 1);
        if bytes.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        loop {
            let (item, end) = match bytes.get(at) {
                Some(b'{' | b'[') => (Slot::new(Shape::Object, at, at), scan::value(self.json, at, depth + 1)?),
                _ if self.items.len() >= most => (Slot::default(), scan::value(self.json, at, depth + 1)?),
                _ => self.scalar(at)?,
            };
            if self.items.len() < most {
                self.items.push(item);
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
                (self.string(start, end, has_escapes), end + 1)
            }
            Some(b't') => (Slot::new(Shape::True, at, at + 4), scan::word(bytes, at, "true")?),
            Some(b'f') => (Slot::new(Shape::False, at, at + 5), scan::word(bytes, at, "false")?),
            Some(b'n') => (Slot::default(), scan::word(bytes, at, "null")?),
            _ => {
                let end = scan::number(bytes, at)?;
                (Slot::new(Shape::Number, at, end), end)
            }
        })
    }

    /// Text between its quotes.
    #[inline(always)]
    fn string(&mut self, start: usize, end: usize, has_escapes: bool) -> Slot {
        // Nearly always a character that can be seen comes first; of an empty text that is its own closing quote.
        let is_plain = self.json.bytes.get(start).is_some_and(u8::is_ascii_graphic);
        if is_plain && start < end && !has_escapes {
            Slot::new(Shape::Text, start, end)
        } else {
            self.odd(start, end, has_escapes)
        }
    }

    /// Text that may be blank or has escapes.
    #[cold]
    fn odd(&mut self, start: usize, end: usize, has_escapes: bool) -> Slot {
        let text = &self.text[start..end];
        if !has_escapes {
            return if is_blank(text) { Slot::default() } else { Slot::new(Shape::Text, start, end) };
        }
        let from = self.written.len();
        scan::unescape(text, self.written);
        if is_blank(&self.written[from..]) {
            return Slot::default();
        }
        Slot::new(Shape::Written, from, self.written.len())
    }
}

/// Whether a text says nothing.
#[inline(always)]
pub(super) fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(byte) if byte.is_ascii_graphic() => false,
        _ => text.trim_start().is_empty(),
    }
}
