//! Microphones, speakers, cameras, files and test signals.
