//! What is asked of Video4Linux: the calls of `linux/videodev2.h`, of the kinds that hold no pointers, and the memory that pictures come in.
#![allow(unsafe_code)] // a file of its own for what no safe crate does that builds without clang

use super::Format;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// A camera as the kernel shows it; another one in tests.
pub(crate) trait Kernel: Send {
    /// Whether it takes pictures, and gives them in shared memory.
    fn captures(&mut self) -> io::Result<bool>;
    /// The kind of pixels of an index; none beyond the last.
    fn offers(&mut self, index: u32) -> io::Result<Option<u32>>;
    /// Asks for a format; the one that it will be.
    fn set_format(&mut self, wanted: Format) -> io::Result<Format>;
    /// Asks for so many pictures a second; how many there will be.
    fn set_rate(&mut self, rate: u32) -> io::Result<f64>;
    /// Begins, with so many pictures in memory.
    fn begin(&mut self, buffers: u32) -> io::Result<()>;
    /// Waits for a picture.
    fn wait(&mut self, time: Duration) -> io::Result<bool>;
    /// Looks at the newest picture, if there is one.
    fn take(&mut self, look: &mut dyn FnMut(&[u8])) -> io::Result<()>;
}

/// A device file.
pub(crate) struct Device {
    file: File,
    maps: Vec<Map>,
}

/// A picture's memory, shared with the kernel, which writes into it while it is queued and not else.
struct Map {
    at: *mut libc::c_void,
    length: usize,
}

// SAFETY: the memory belongs to this value alone, whichever thread holds it.
unsafe impl Send for Map {}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: `at` and `length` are of a mapping that succeeded, and no slice of it outlives `take`.
        unsafe { libc::munmap(self.at, self.length) };
    }
}

/// A call: its number, and how long what goes with it is.
#[derive(Clone, Copy)]
struct Call<const N: usize>(u32);

impl Device {
    /// Opens it, not to be waited for in calls.
    pub fn open(path: &str) -> io::Result<Device> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Device { file, maps: Vec::new() })
    }

    fn call<const N: usize>(&self, call: Call<N>, data: &mut [u8; N]) -> io::Result<()> {
        loop {
            // SAFETY: the number says that the kernel reads and writes N bytes, which `data` has (`number` makes it so); it holds no pointer,
            // since it is of the kind of picture (1, capture) and of memory (1, the kernel's) that have none.
            let done =
                unsafe { libc::ioctl(self.file.as_raw_fd(), call.0 as libc::Ioctl, data.as_mut_ptr()) };
            let error = io::Error::last_os_error();
            match done {
                0.. => return Ok(()),
                _ if error.kind() == ErrorKind::Interrupted => {}
                _ => return Err(error),
            }
        }
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        self.call(QUEUE, &mut buffer(index))
    }

    /// The next picture that is ready: which, and bytes of it.
    fn next(&self) -> io::Result<Option<(u32, usize)>> {
        let mut data = buffer(0);
        match self.call(DEQUEUE, &mut data) {
            Ok(()) => Ok(Some((word(&data, 0), word(&data, 8) as usize))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Kernel for Device {
    fn captures(&mut self) -> io::Result<bool> {
        let mut data = [0; 104];
        self.call(CAPABILITIES, &mut data)?;
        let (all, own) = (word(&data, 84), word(&data, 88));
        let can = if all & HAS_OWN != 0 { own } else { all };
        Ok(can & CAPTURES != 0 && can & STREAMS != 0)
    }

    fn offers(&mut self, index: u32) -> io::Result<Option<u32>> {
        let mut data = [0; 64];
        set(&mut data, &[(0, index), (4, CAPTURE)]);
        match self.call(FORMATS, &mut data) {
            Ok(()) => Ok(Some(word(&data, 44))),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_format(&mut self, wanted: Format) -> io::Result<Format> {
        let mut data = [0; 208];
        let Format { width, height, pixels, .. } = wanted;
        // whole pictures, not every other row
        set(&mut data, &[(0, CAPTURE), (8, width), (12, height), (16, pixels), (20, 1)]);
        self.call(SET_FORMAT, &mut data)?;
        let [width, height, pixels, _, stride] = [8, 12, 16, 20, 24].map(|at| word(&data, at));
        Ok(Format { width, height, pixels, stride, wide: word(&data, 48) == FULL_RANGE })
    }

    fn set_rate(&mut self, rate: u32) -> io::Result<f64> {
        let mut data = [0; 204];
        set(&mut data, &[(0, CAPTURE), (12, 1), (16, rate)]);
        self.call(SET_RATE, &mut data)?;
        let (over, under) = (word(&data, 12), word(&data, 16));
        let rate = f64::from(under) / f64::from(over.max(1));
        if rate > 0.0 { Ok(rate) } else { Err(ErrorKind::InvalidData.into()) }
    }

    fn begin(&mut self, buffers: u32) -> io::Result<()> {
        let mut data = [0; 20];
        set(&mut data, &[(0, buffers), (4, CAPTURE), (8, SHARED)]);
        self.call(REQUEST, &mut data)?;
        for index in 0..word(&data, 0).min(32) {
            let mut data = buffer(index);
            self.call(LOOK, &mut data)?;
            let (offset, length) = (word(&data, 64), word(&data, 72) as usize);
            // SAFETY: a new mapping, at a place that the kernel chooses, of a file that is open.
            let at = unsafe {
                let file = self.file.as_raw_fd();
                libc::mmap(
                    std::ptr::null_mut(),
                    length,
                    libc::PROT_READ,
                    libc::MAP_SHARED,
                    file,
                    offset.into(),
                )
            };
            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            self.maps.push(Map { at, length });
            self.queue(index)?;
        }
        self.call(BEGIN, &mut CAPTURE.to_ne_bytes())
    }

    fn wait(&mut self, time: Duration) -> io::Result<bool> {
        let mut wanted = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, as said.
        let ready = unsafe { libc::poll(&mut wanted, 1, time.as_millis().min(10_000) as libc::c_int) };
        match ready {
            0 => Ok(false),
            1.. if wanted.revents & libc::POLLIN != 0 => Ok(true),
            1.. => Err(io::Error::other("it is gone")),
            _ => match io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => Ok(false),
                error => Err(error),
            },
        }
    }

    fn take(&mut self, look: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut newest = None;
        while let Some(next) = self.next()? {
            if let Some((older, _)) = newest.replace(next) {
                self.queue(older)?;
            }
        }
        let Some((index, bytes)) = newest else { return Ok(()) };
        if let Some(map) = self.maps.get(index as usize) {
            // SAFETY: the mapping is that long, and the kernel does not write into it before it is queued again.
            look(unsafe { std::slice::from_raw_parts(map.at.cast(), bytes.min(map.length)) });
        }
        self.queue(index)
    }
}

/// What goes with calls about one picture's memory.
fn buffer(index: u32) -> [u8; 88] {
    let mut data = [0; 88];
    set(&mut data, &[(0, index), (4, CAPTURE), (60, SHARED)]);
    data
}

fn word(data: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}

fn set(data: &mut [u8], words: &[(usize, u32)]) {
    words.iter().for_each(|(at, word)| data[*at..at + 4].copy_from_slice(&word.to_ne_bytes()));
}

/// The number of a call that goes so many ways (1 in, 2 out) with N bytes (`asm-generic/ioctl.h`; the same on x86, ARM and RISC-V).
const fn number<const N: usize>(ways: u32, number: u32) -> Call<N> {
    Call(ways << 30 | (N as u32) << 16 | (b'V' as u32) << 8 | number)
}

const CAPABILITIES: Call<104> = number(2, 0);
const FORMATS: Call<64> = number(3, 2);
const SET_FORMAT: Call<208> = number(3, 5);
const REQUEST: Call<20> = number(3, 8);
const LOOK: Call<88> = number(3, 9);
const QUEUE: Call<88> = number(3, 15);
const DEQUEUE: Call<88> = number(3, 17);
const BEGIN: Call<4> = number(1, 18);
const SET_RATE: Call<204> = number(3, 22);
/// Of pictures and of memory, the kinds that are meant: `V4L2_BUF_TYPE_VIDEO_CAPTURE`, `V4L2_MEMORY_MMAP`.
const CAPTURE: u32 = 1;
const SHARED: u32 = 1;
/// Of capabilities: `V4L2_CAP_VIDEO_CAPTURE`, `V4L2_CAP_STREAMING`, `V4L2_CAP_DEVICE_CAPS`.
const CAPTURES: u32 = 1;
const STREAMS: u32 = 0x0400_0000;
const HAS_OWN: u32 = 0x8000_0000;
/// `V4L2_QUANTIZATION_FULL_RANGE`.
const FULL_RANGE: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// As a C compiler makes them of `linux/videodev2.h` where pointers have 64 bits.
    #[test]
    fn calls_have_the_kernels_numbers() {
        let numbers = [CAPABILITIES.0, FORMATS.0, SET_FORMAT.0, REQUEST.0, BEGIN.0, SET_RATE.0];
        assert_eq!(numbers, [0x8068_5600, 0xc040_5602, 0xc0d0_5605, 0xc014_5608, 0x4004_5612, 0xc0cc_5616]);
        assert_eq!([LOOK.0, QUEUE.0, DEQUEUE.0], [0xc058_5609, 0xc058_560f, 0xc058_5611]);
    }

    #[test]
    fn what_is_no_camera_says_so() {
        assert!(Device::open("/dev/null").unwrap().captures().is_err());
        assert_eq!(Device::open("/dev/no camera").err().unwrap().kind(), ErrorKind::NotFound);
    }
}
