//! Sessions against captured peers, against each other, and against other people's code.

mod captured;
mod hostile;
mod obs;
mod oracle;

mod pair;
mod patience;
mod support;
