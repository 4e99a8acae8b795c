//! HTTP as live media speaks it: requests without a length, answers without an end, three protocol names.
//!
//! A general HTTP library takes a request body without a length as empty, does not know `ICE/1.0`, and cannot be
//! told to answer in the client's version; that is why the front door is ours, on `httparse`. Once a request turns
//! out to be an ordinary one, the connection goes to hyper with the bytes already read.

mod answer;
mod body;
mod fields;
mod head;
mod reply;

pub use answer::{Answer, Status};
pub use body::Body;
pub use fields::Fields;
pub use head::{BadHead, First, Head, HeadReader, Version};
pub use reply::Reply;
