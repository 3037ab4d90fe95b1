fn main() { hotlead::x() }
