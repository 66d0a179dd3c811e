//! Opening a file that may be compressed with gzip, or standard input.

use crate::error::DataError;
use flate2::bufread::MultiGzDecoder;
use gradus_tensor::decode::fill;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// The contents of a file, decompressed if it is a gzip file.
pub struct Stream {
    reader: Box<dyn Read>,
    /// How many bytes there are, if that is known for certain: not for compressed files, pipes and terminals.
    pub held: Option<u64>,
}

impl Stream {
    /// Opens the file at `path`; `-` is standard input.
    pub fn open(path: &Path) -> Result<Stream, DataError> {
        let name = path.display().to_string();
        let (source, mut held): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(|e| DataError::read(&name, e))?;
            let about = file.metadata().map_err(|e| DataError::read(&name, e))?;
            (Box::new(file), about.is_file().then_some(about.len()))
        };
        let mut source = BufReader::with_capacity(1 << 16, source);
        let head = source.fill_buf().map_err(|e| DataError::read(&name, e))?;
        let compressed = head.starts_with(b"\x1f\x8b");
        let reader: Box<dyn Read> = if compressed {
            held = None;
            Box::new(MultiGzDecoder::new(source))
        } else {
            Box::new(source)
        };
        Ok(Stream { reader, held })
    }

    /// Reads up to `limit` first bytes into `head`; they stay in the stream.
    pub fn read_head(&mut self, limit: usize, head: &mut Vec<u8>) -> io::Result<()> {
        head.resize(limit, 0);
        let held = fill(&mut self.reader, head)?;
        head.truncate(held);
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Cursor::new(head.clone()).chain(rest));
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}
