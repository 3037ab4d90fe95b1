//! The program: the library's command line, and nothing else.
fn main() {
    hotlead::x()
}
