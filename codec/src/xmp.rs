//! XMP packets without some of their properties.
//!
//! XMP is RDF in XML: a property is an attribute of a description or an element in it (ISO 16684-1 §7). Only that is
//! understood; what is no such text is dropped as a whole by whoever asks.

/// Properties that tell where a picture was taken, under any prefix: those of EXIF's GPS directory, of Photoshop and of IPTC.
pub(crate) fn is_of_place(name: &str) -> bool {
    let local = name.rsplit(':').next().unwrap_or(name);
    local.starts_with("GPS")
        || [
            "City",
            "State",
            "Country",
            "CountryCode",
            "CountryName",
            "Location",
            "LocationCreated",
            "LocationShown",
            "ProvinceState",
            "Sublocation",
            "WorldRegion",
            "LocationName",
            "LocationId",
        ]
        .contains(&local)
}

/// The packet without the properties that `drop` names; `None` if it is no text of balanced elements. What is kept stays
/// byte for byte.
pub(crate) fn without(xmp: &[u8], drop: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(xmp).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Names of the open elements, the outermost first, and how many of them lie around what is being dropped.
    let mut open: Vec<&str> = Vec::new();
    let mut dropped: Option<usize> = None;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        let tag = &from[..tag_len(from)?];
        rest = &from[tag.len()..];
        let keep = dropped.is_none();
        if keep {
            out.push_str(before);
        }
        if tag.starts_with("<!") || tag.starts_with("<?") {
            if keep {
                out.push_str(tag);
            }
            continue;
        }
        if let Some(name) = tag.strip_prefix("</") {
            if open.pop()? != name.trim_end_matches('>').trim_end() {
                return None;
            }
            if keep {
                out.push_str(tag);
            } else if dropped == Some(open.len()) {
                dropped = None;
            }
            continue;
        }
        let name = name_of(&tag[1..]);
        let closed = tag.ends_with("/>");
        if keep && drop(name) {
            dropped = (!closed).then_some(open.len());
        } else if keep {
            attributes(tag, name, &drop, &mut out)?;
        }
        if !closed {
            open.push(name);
        }
    }
    if !open.is_empty() {
        return None;
    }
    out.push_str(rest);
    Some(out.into_bytes())
}

/// Bytes of the tag, comment or instruction that `from` begins with; a `>` in quotes does not end a tag.
fn tag_len(from: &str) -> Option<usize> {
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if from.starts_with(begin) {
            return from.find(end).map(|at| at + end.len());
        }
    }
    let mut quote = None;
    for (at, c) in from.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('>', None) => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/' | '>'));
    &text[..end.unwrap_or(text.len())]
}

/// Writes a start tag without the attributes that are dropped.
fn attributes(tag: &str, name: &str, drop: &impl Fn(&str) -> bool, out: &mut String) -> Option<()> {
    let mut rest = &tag[1 + name.len()..];
    out.push('<');
    out.push_str(name);
    loop {
        let space = rest.len() - rest.trim_start().len();
        let (blank, from) = rest.split_at(space);
        if matches!(from, ">" | "/>") {
            out.push_str(blank);
            out.push_str(from);
            return Some(());
        }
        let attribute = name_of(from);
        let value = from[attribute.len()..]
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let len = value[1..].find(quote)? + 2;
        let whole = from.len() - value.len() + len;
        if !drop(attribute) {
            out.push_str(blank);
            out.push_str(&from[..whole]);
        }
        rest = &from[whole..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, drop: fn(&str) -> bool, expect: Option<&str>) {
        let found = without(text.as_bytes(), drop).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(found.as_deref(), expect, "{text}");
    }

    #[test]
    fn properties_go_as_attributes_and_as_elements() {
        check(
            "<?xpacket begin='\u{feff}'?><r:D tiff:Orientation=\"6\" dc:x='a>b'\n exif:GPSLatitude = \"1\"/> <?xpacket end='w'?>",
            |name| name == "tiff:Orientation",
            Some(
                "<?xpacket begin='\u{feff}'?><r:D dc:x='a>b'\n exif:GPSLatitude = \"1\"/> <?xpacket end='w'?>",
            ),
        );
        check(
            "<D><dc:title>Hut</dc:title><exif:GPSLatitude>46,1N</exif:GPSLatitude><p:City/><x>1</x></D>",
            is_of_place,
            Some("<D><dc:title>Hut</dc:title><x>1</x></D>"),
        );
        // What lies in a dropped element goes with it, elements of its own name, too.
        check(
            "<D><a:LocationShown><B a:City='x'><a:LocationShown>t</a:LocationShown></B><!-- > --></a:LocationShown >z</D>",
            is_of_place,
            Some("<D>z</D>"),
        );
        check("no xml", is_of_place, Some("no xml"));
    }

    #[test]
    fn what_is_not_balanced_is_not_kept() {
        for text in [
            "<a>",
            "</a>",
            "<a></b>",
            "<a",
            "<a b></a>",
            "<a b=c/>",
            "<a b='c/>",
            "<!-- a",
            "<a><b></a></b>",
        ] {
            check(text, is_of_place, None);
        }
        assert_eq!(without(b"\xff\xfe<\0", is_of_place), None);
    }
}
