//! What leads do: short sessions of steps, chosen by what kind of lead it is and how far it has come.

use super::random::Random;

/// What kind of lead it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persona {
    /// Looks around and is never known by name.
    Visitor,
    /// Known by name and on the way to buying, or not.
    Prospect {
        /// From 0, just reading, to 2, wants it.
        interest: u8,
        /// Comes without a name at first and fills in a form in the first session.
        anonymous_first: bool,
    },
    /// Reads the newsletter, then has enough of it, and may ask for a demo all the same.
    Unsubscriber,
    /// Looks for a job, not for a product.
    Applicant,
    /// Works for a competitor.
    Rival,
    /// Not a person.
    Crawler,
}

/// One thing that a lead does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// A page is viewed: path, title.
    Page(&'static str, &'static str),
    /// Something with a name is done, to something with a name.
    Track(&'static str, &'static str),
    /// The person says who they are.
    Identify,
    /// The person's company becomes known.
    Group,
}

/// An act, and the seconds that pass before it: at least, at most.
pub(super) type Step = (u64, u64, Act);

use Act::{Group, Identify, Page, Track};

const HOME: Act = Page("/", "Home");
const PRICING: Act = Page("/pricing", "Pricing");
const PLANS: Act = Page("/pricing/enterprise", "Enterprise pricing");
const CONTACT: Act = Page("/contact", "Contact sales");
const STORY: Act = Page("/customers/warehouse-robots", "Case study: warehouse robots");
const STORY_PDF: Act = Track("Case Study Downloaded", "warehouse-robots.pdf");
const STORY_PDF_2: Act = Track("Case Study Downloaded", "night-shift.pdf");
const DEMO: Act = Track("Demo Requested", "contact form");
const OPENED: Act = Track("Email Opened", "November newsletter");
const CLICKED: Act = Track("Email Link Clicked", "November newsletter");

#[rustfmt::skip]
mod sessions {
    use super::*;

    pub(super) const BLOG: &[Step] = &[
        (0, 0, Page("/blog/five-minute-rule", "The five-minute rule")), (40, 200, Page("/blog/lead-scoring", "Lead scoring in plain words")),
        (30, 150, HOME), (10, 60, Page("/product", "Product")),
    ];
    pub(super) const GLANCE: &[Step] = &[(0, 0, HOME), (8, 40, Page("/product", "Product"))];
    pub(super) const CURIOUS: &[Step] = &[
        (0, 0, HOME), (15, 60, Page("/product", "Product")), (30, 120, PRICING), (20, 90, Page("/docs", "Documentation")),
    ];
    pub(super) const NEWSLETTER: &[Step] = &[(0, 0, OPENED), (4, 30, CLICKED), (1, 3, Page("/blog/speed-to-lead", "Speed to lead")), (60, 240, STORY)];
    pub(super) const WHITEPAPER: &[Step] = &[
        (0, 0, Page("/resources", "Resources")), (20, 80, Track("Whitepaper Downloaded", "streaming-for-sales.pdf")), (60, 200, STORY), (30, 90, STORY_PDF),
    ];
    pub(super) const WEBINAR: &[Step] = &[
        (0, 0, CLICKED), (2, 8, Page("/webinars/live-scoring", "Webinar: live scoring")), (30, 90, Track("Webinar Registered", "Live scoring")),
        (1_500, 3_000, Track("Webinar Attended", "Live scoring")), (60, 400, PRICING),
    ];
    pub(super) const EVALUATE: &[Step] = &[
        (0, 0, HOME), (10, 40, Page("/product", "Product")), (20, 90, PRICING), (60, 240, STORY), (20, 60, STORY_PDF), (60, 300, PRICING), (120, 500, PLANS),
    ];
    pub(super) const BUY: &[Step] = &[
        (0, 0, PRICING), (30, 120, STORY), (20, 60, STORY_PDF), (40, 160, PLANS), (120, 400, PRICING), (20, 60, STORY_PDF_2), (20, 60, CONTACT), (40, 120, DEMO),
    ];
    pub(super) const UNSUBSCRIBE: &[Step] = &[(0, 0, OPENED), (5, 30, Track("Email Unsubscribed", "November newsletter"))];
    pub(super) const CHANGED_MIND: &[Step] = &[(0, 0, HOME), (15, 60, PRICING), (40, 120, CONTACT), (30, 90, DEMO)];
    pub(super) const APPLY: &[Step] = &[
        (0, 0, Page("/careers", "Careers")), (20, 90, Page("/careers/backend-engineer", "Backend engineer")), (30, 100, Page("/careers/data-engineer", "Data engineer")),
        (20, 60, Page("/about", "About us")), (30, 90, PRICING), (20, 60, PRICING), (20, 90, PLANS), (60, 240, Page("/careers/apply", "Apply")),
    ];
    pub(super) const SPY: &[Step] = &[(0, 0, PRICING), (20, 90, PLANS), (30, 120, Page("/product", "Product")), (30, 120, PRICING), (60, 200, STORY_PDF), (30, 90, STORY_PDF_2)];
    pub(super) const CRAWL: &[Step] = &[
        (0, 0, HOME), (1, 2, Page("/product", "Product")), (1, 2, PRICING), (1, 2, PLANS), (1, 2, PRICING), (1, 2, Page("/docs", "Documentation")), (1, 2, CONTACT), (1, 2, STORY),
    ];
    pub(super) const SIGN_UP: &[Step] = &[(0, 0, HOME), (20, 80, PRICING), (40, 120, Page("/resources", "Resources")), (30, 90, Identify), (0, 1, Group), (10, 60, STORY_PDF)];
    pub(super) const HELLO: &[Step] = &[(0, 0, Identify), (0, 1, Group)];
}

impl Persona {
    /// A kind of lead, as often as a site sees it.
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.below(100) {
            0..38 => Self::Visitor,
            38..84 => Self::Prospect { interest: random.below(3) as u8, anonymous_first: random.chance(30) },
            84..88 => Self::Unsubscriber,
            88..91 => Self::Applicant,
            91..93 => Self::Rival,
            _ => Self::Crawler,
        }
    }

    /// Whether the person's name is known from the first event on.
    pub(super) fn is_known_at_once(self) -> bool {
        match self {
            Self::Prospect { anonymous_first, .. } => !anonymous_first,
            Self::Unsubscriber | Self::Applicant | Self::Rival => true,
            Self::Visitor | Self::Crawler => false,
        }
    }

    /// What the lead does in its session number `nth`, from 0.
    pub(super) fn session(self, nth: u32, random: &mut Random) -> &'static [Step] {
        use sessions::*;
        if nth == 0 && self.is_known_at_once() {
            return HELLO;
        }
        match self {
            Self::Visitor => random.pick(&[BLOG, GLANCE, GLANCE, CURIOUS]),
            Self::Prospect { anonymous_first: true, .. } if nth == 0 => SIGN_UP,
            Self::Prospect { interest: 0, .. } => random.pick(&[BLOG, NEWSLETTER, GLANCE]),
            Self::Prospect { interest: 1, .. } => random.pick(&[NEWSLETTER, WHITEPAPER, WEBINAR, CURIOUS, EVALUATE]),
            Self::Prospect { .. } => random.pick(&[WHITEPAPER, EVALUATE, EVALUATE, BUY, WEBINAR]),
            Self::Unsubscriber => match nth {
                1 => NEWSLETTER,
                2 => UNSUBSCRIBE,
                _ => CHANGED_MIND,
            },
            Self::Applicant => APPLY,
            Self::Rival => SPY,
            Self::Crawler => CRAWL,
        }
    }

    /// Seconds until the session after number `nth`.
    pub(super) fn pause_s(self, nth: u32, random: &mut Random) -> u64 {
        if nth == 0 && self.is_known_at_once() {
            return random.between(2, 20);
        }
        match self {
            Self::Crawler => random.between(600, 7_200),
            _ => random.between(1_800, 43_200),
        }
    }
}
