//! The JSON keys that are wanted, as a tree: which key of which object leads where, found without comparing all.
//!
//! Nodes are numbered depth first, so that all that lies below one node is a range of numbers.

/// Number of a node: the place of its value among the values found.
pub(super) type NodeId = u16;

/// The wanted keys of all objects.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// How many nodes have children.
    pub(super) objects: usize,
}

/// One wanted place in a record.
#[derive(Debug)]
pub(super) struct Node {
    /// One past the last node below this one.
    pub(super) end: NodeId,
    /// Whether the value itself is read, not just values inside it.
    pub(super) is_read: bool,
    /// Number of the object for [`Guesses`](super::guess::Guesses).
    pub(super) object: usize,
    keys: Keys,
}

/// The wanted keys of one object, by a hash of their first eight bytes and their length: a power of two of places,
/// at least four times as many as there are keys.
#[derive(Debug, Default)]
struct Keys {
    places: Vec<Option<Key>>,
}

#[derive(Clone, Debug)]
struct Key {
    head: u64,
    name: Box<[u8]>,
    node: NodeId,
}

/// The tree while it grows; keys in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Sprout {
    is_read: bool,
    children: Vec<(Box<str>, Sprout)>,
}

impl Sprout {
    /// Asks for the value at the end of these keys.
    pub(super) fn want<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>) {
        let mut node = self;
        for key in keys {
            let known = node.children.iter().position(|(name, _)| **name == *key);
            let index = known.unwrap_or_else(|| {
                node.children.push((key.into(), Self::default()));
                node.children.len() - 1
            });
            node = &mut node.children[index].1;
        }
        node.is_read = true;
    }

    /// Hangs another tree below one of the keys of this one.
    pub(super) fn hang(&mut self, key: &str, other: Sprout) {
        self.children.push((key.into(), other));
    }

    fn freeze(self, nodes: &mut Vec<Node>) -> NodeId {
        let id = number(nodes.len());
        nodes.push(Node { end: 0, is_read: self.is_read, object: 0, keys: Keys::default() });
        let mut keys = Vec::with_capacity(self.children.len());
        for (name, child) in self.children {
            keys.push((name, child.freeze(nodes)));
        }
        let end = number(nodes.len());
        let node = &mut nodes[usize::from(id)];
        node.end = end;
        node.keys = Keys::new(keys);
        id
    }
}

fn number(index: usize) -> NodeId {
    NodeId::try_from(index).expect("limits of a rules file keep the wanted keys under 65,536")
}

impl Tree {
    /// Fixes the tree; the root is node 0.
    pub(super) fn new(root: Sprout) -> Self {
        let mut nodes = Vec::new();
        root.freeze(&mut nodes);
        let objects = nodes.iter_mut().filter(|node| node.has_children());
        let objects = objects.enumerate().map(|(n, node)| node.object = n).count();
        Self { nodes, objects }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// One node.
    #[inline(always)]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }

    /// The node at the end of these keys, from the root.
    pub(super) fn find<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Option<NodeId> {
        keys.into_iter().try_fold(0, |id, key| self.node(id).child(head(key), key.as_bytes()))
    }
}

impl Node {
    /// Whether values inside this one are wanted.
    #[inline(always)]
    pub(super) fn has_children(&self) -> bool {
        !self.keys.places.is_empty()
    }

    /// Where a key leads; `head` is its first eight bytes as [`head_of`] has them.
    #[inline(always)]
    pub(super) fn child(&self, head: u64, name: &[u8]) -> Option<NodeId> {
        let places = self.keys.places.as_slice();
        let mask = places.len().wrapping_sub(1);
        let mut place = spread(head, name.len()) & mask;
        loop {
            let key = places.get(place)?.as_ref()?;
            if key.head == head && key.name.len() == name.len() {
                // The heads are equal, so short names are.
                if name.len() <= 8 || key.name[8..] == name[8..] {
                    return Some(key.node);
                }
            }
            place = (place + 1) & mask;
        }
    }
}

impl Keys {
    fn new(keys: Vec<(Box<str>, NodeId)>) -> Self {
        if keys.is_empty() {
            return Self::default();
        }
        let mut places = vec![None; (keys.len() * 4).next_power_of_two()];
        let mask = places.len() - 1;
        for (name, node) in keys {
            let head = head(&name);
            let mut place = spread(head, name.len()) & mask;
            while places[place].is_some() {
                place = (place + 1) & mask;
            }
            let name = name.into_boxed_bytes();
            places[place] = Some(Key { head, name, node });
        }
        Self { places }
    }
}

/// The first eight bytes of a key, zeros after a shorter one.
pub(super) fn head(name: &str) -> u64 {
    let mut padded = [0; 8];
    let len = name.len().min(8);
    padded[..len].copy_from_slice(&name.as_bytes()[..len]);
    u64::from_le_bytes(padded)
}

/// The same for a key inside a longer text.
#[inline(always)]
pub(super) fn head_of(bytes: &[u8], start: usize, len: usize) -> u64 {
    let word = bytes.get(start..).and_then(|rest| rest.first_chunk::<8>());
    match word.map(|word| u64::from_le_bytes(*word)) {
        Some(word) if len >= 8 => word,
        Some(word) => word & ((1 << (8 * len)) - 1),
        None => {
            let mut padded = [0; 8];
            let len = len.min(8);
            padded[..len].copy_from_slice(&bytes[start..start + len]);
            u64::from_le_bytes(padded)
        }
    }
}

#[inline(always)]
fn spread(head: u64, len: usize) -> usize {
    // Fibonacci hashing: the product's high bits depend on all bytes.
    let product = (head ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (product >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_was_asked_for_and_nowhere_else() {
        let mut root = Sprout::default();
        root.want(["context", "page", "path"]);
        root.want(["context", "page", "url"]);
        root.want(["originalTimestamp"]);
        root.want(["originalTimestanp"]);
        root.want([""]);
        let many: Vec<String> = (0..500).map(|n| format!("property number {n}")).collect();
        for name in &many {
            root.want(["properties", name]);
        }
        let tree = Tree::new(root);
        let page = tree.find(["context", "page"]).expect("wanted");
        let url = tree.find(["context", "page", "url"]).expect("wanted");
        assert!(page < url && url < tree.node(page).end);
        assert!(!tree.node(page).is_read && tree.node(url).is_read);
        assert_ne!(tree.find(["originalTimestamp"]), tree.find(["originalTimestanp"]));
        assert!(tree.find([""]).is_some());
        for missing in ["originalTimestam", "originalTimestampx", "path", "contex"] {
            assert_eq!(tree.find([missing]), None, "{missing}");
        }
        for name in &many {
            assert!(tree.find(["properties", name]).is_some(), "{name}");
        }
        assert_eq!(tree.find(["properties", "property number 500"]), None);
    }
}
