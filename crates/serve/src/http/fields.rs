//! The fields of a head, a request's or an answer's.

/// Names and values in the order they came. Names are compared in any letter case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether a comma-separated field names `token`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    }

    /// The fields that the HTTP parser found. Each value is one line, also where an answer's was folded.
    pub(super) fn parsed(headers: &[httparse::Header<'_>]) -> Fields {
        let own = |field: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(field.value).replace(char::is_control, " ");
            (field.name.to_owned(), value.trim().to_owned())
        };
        Fields(headers.iter().map(own).collect())
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(fields: I) -> Fields {
        Fields(fields.into_iter().collect())
    }
}

impl AsRef<Fields> for Fields {
    fn as_ref(&self) -> &Fields {
        self
    }
}
