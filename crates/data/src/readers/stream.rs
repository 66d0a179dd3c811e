//! Opening a file that may be compressed with gzip or xz, or standard input.

use crate::error::DataError;
use flate2::bufread::MultiGzDecoder;
use gradus_tensor::decode::fill;
use lzma_rust2::XzReader;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// The contents of a file, decompressed if it is a gzip or xz file.
pub struct Stream {
    reader: Box<dyn Read>,
    /// How many bytes there are, if that is known for certain: not for compressed files, pipes and terminals.
    pub held: Option<u64>,
}

impl Stream {
    /// Opens the file at `path`; `-` is standard input.
    pub fn open(path: &Path) -> Result<Stream, DataError> {
        let name = path.display().to_string();
        let (source, held): (Box<dyn Read>, Option<u64>) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(|e| DataError::read(&name, e))?;
            let about = file.metadata().map_err(|e| DataError::read(&name, e))?;
            (Box::new(file), about.is_file().then_some(about.len()))
        };
        let mut stream = Stream::of(source).map_err(|e| DataError::read(&name, e))?;
        stream.held = stream.held.and(held);
        Ok(stream)
    }

    /// The contents of what `source` gives. `held` is meant to be filled in: it is some number if nothing is decompressed.
    pub(crate) fn of(source: Box<dyn Read>) -> io::Result<Stream> {
        let mut held = Some(0);
        let mut source = BufReader::with_capacity(1 << 16, source);
        let head = source.fill_buf()?;
        let (gzip, xz) = (head.starts_with(b"\x1f\x8b"), head.starts_with(b"\xfd7zXZ\0"));
        if gzip || xz {
            held = None;
        }
        let reader: Box<dyn Read> = match (gzip, xz) {
            (true, _) => Box::new(MultiGzDecoder::new(source)),
            (_, true) => Box::new(XzReader::new(source, true)),
            _ => Box::new(source),
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
