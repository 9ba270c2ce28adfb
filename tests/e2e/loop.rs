//! The whole loop by hand: psql shows a link, a person signs in and asks, another approves, rows come back, and the end
//! comes. And everything that may go wrong with a link on the way.

mod links;
mod whole;
