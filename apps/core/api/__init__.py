"""The API's framework; `platform` holds the calls that belong to no domain."""
