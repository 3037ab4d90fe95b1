//! The binary: the call into the library.

use std::process::ExitCode;

/// Of all memory, librdkafka's too: records are taken in one thread and freed in another, and leads come and go.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(hotlead::cli::main())
}
