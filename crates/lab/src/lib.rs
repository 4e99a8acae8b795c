//! Networks made of namespaces, with emulated links, captures and reports.
