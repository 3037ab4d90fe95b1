//! The binary: the call into the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hotlead::cli::main())
}
