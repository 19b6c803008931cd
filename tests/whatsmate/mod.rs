//! WhatsMate on both sides: the face that its clients talk to, and bots that deliver through its gateway.

mod gateway;
mod pausing;
mod requests;
