//! Lists of objects, page by page.

use std::collections::BTreeMap;

use super::bucket::Object;

/// What a list asks for.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// Only keys that begin with this.
    pub(super) prefix: &'a str,
    /// Keys that have this after the prefix are rolled up to there.
    pub(super) delimiter: Option<&'a str>,
    /// Only keys after this one.
    pub(super) start_after: &'a str,
    /// Only items that come after this one, the last of the page before.
    pub(super) resume: Option<&'a str>,
    /// How many items a page has at most.
    pub(super) max_items: usize,
}

/// One page of a list.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) objects: Vec<(&'a str, &'a Object)>,
    pub(super) prefixes: Vec<&'a str>,
    /// The last item of this page, if another page follows.
    pub(super) next: Option<&'a str>,
}

/// A page of those of `objects` that are `visible`, in bytewise order or from the last to the first.
pub(super) fn page<'a>(
    objects: &'a BTreeMap<String, Object>,
    query: &Query<'_>,
    reversed: bool,
    visible: impl Fn(&Object) -> bool,
) -> Page<'a> {
    let mut page = Page::default();
    let mut last: Option<&str> = None;
    for (key, object) in candidates(objects, query, reversed) {
        if key <= query.start_after || !visible(object) {
            continue;
        }
        let (item, rolled_up) = item_of(key, query);
        let seen = query.resume.is_some_and(
            |resume| {
                if reversed { item >= resume } else { item <= resume }
            },
        );
        if seen || last == Some(item) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() >= query.max_items {
            page.next = last;
            break;
        }
        if rolled_up {
            page.prefixes.push(item);
        } else {
            page.objects.push((key, object));
        }
        last = Some(item);
    }
    page
}

/// The objects under the prefix, in the order of the list, from where it can begin.
fn candidates<'a, 'q>(
    objects: &'a BTreeMap<String, Object>,
    query: &'q Query<'_>,
    reversed: bool,
) -> Box<dyn Iterator<Item = (&'a str, &'a Object)> + 'q>
where
    'a: 'q,
{
    let mut from = query.prefix.max(query.start_after);
    if !reversed {
        from = from.max(query.resume.unwrap_or_default());
    }
    let all = objects.range(from.to_owned()..).map(|(key, object)| (key.as_str(), object));
    let under = all.take_while(|(key, _)| key.starts_with(query.prefix));
    if reversed {
        let under: Vec<_> = under.collect();
        return Box::new(under.into_iter().rev());
    }
    Box::new(under)
}

/// What the list shows of `key`: itself, or the beginning that it shares with others. Whether it
/// is the latter comes with it.
fn item_of<'a>(key: &'a str, query: &Query<'_>) -> (&'a str, bool) {
    let Some(delimiter) = query.delimiter else {
        return (key, false);
    };
    match key[query.prefix.len()..].find(delimiter) {
        Some(at) => (&key[..query.prefix.len() + at + delimiter.len()], true),
        None => (key, false),
    }
}
