pub mod config_record;
pub mod config_state;
pub mod machine;
pub mod names;
pub mod status_record;
