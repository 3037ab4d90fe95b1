//! Who visits: companies and people that do not exist, at domains that are reserved for examples.

use super::random::Random;

/// A company that does not exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Company {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) industry: &'static str,
    pub(super) employees: u32,
    pub(super) country: &'static str,
}

const fn company(
    name: &'static str,
    domain: &'static str,
    industry: &'static str,
    employees: u32,
    country: &'static str,
) -> Company {
    Company { name, domain, industry, employees, country }
}

#[rustfmt::skip]
pub(super) const COMPANIES: &[Company] = &[
    company("Acme Robotics", "acme.example", "manufacturing", 450, "US"),
    company("Alder & Ash", "alderash.example", "furniture", 85, "GB"),
    company("Bluefin Logistics", "bluefin.example", "logistics", 1_200, "NL"),
    company("Brightwater Energy", "brightwater.example", "energy", 3_400, "DE"),
    company("Cinder Analytics", "cinder.example", "software", 60, "US"),
    company("Copperline Bank", "copperline.example", "banking", 5_200, "CA"),
    company("Driftwood Hotels", "driftwood.example", "hospitality", 730, "ES"),
    company("Ember Health", "emberhealth.example", "healthcare", 940, "US"),
    company("Fernhill Foods", "fernhill.example", "food", 310, "IE"),
    company("Granite Peak Insurance", "granitepeak.example", "insurance", 2_100, "US"),
    company("Harbor & Lane", "harborlane.example", "retail", 150, "GB"),
    company("Indigo Learning", "indigo.example", "education", 48, "SE"),
    company("Juniper Street Media", "juniperstreet.example", "media", 35, "US"),
    company("Kestrel Aerospace", "kestrel.example", "aerospace", 8_800, "FR"),
    company("Lumen Optics", "lumenoptics.example", "manufacturing", 275, "JP"),
    company("Meridian Freight", "meridian.example", "logistics", 640, "US"),
    company("Nightjar Games", "nightjar.example", "games", 90, "FI"),
    company("Oakhurst Partners", "oakhurst.example", "consulting", 520, "AU"),
    company("Pinecone Outdoor", "pinecone.example", "retail", 180, "CA"),
    company("Quarry Construction", "quarry.example", "construction", 1_900, "DE"),
    company("Redwood Textiles", "redwood.example", "manufacturing", 410, "PT"),
    company("Sable Security", "sable.example", "software", 120, "IL"),
    company("Tidewater Biotech", "tidewater.example", "biotech", 260, "US"),
    company("Umbra Design", "umbra.example", "design", 22, "DK"),
];

/// The one whose people only look at the prices: the demo's rules hold its alerts.
pub(super) const RIVAL: Company = company("Rival", "rival.example", "software", 300, "US");

const FIRST: &[&str] = &[
    "Dana", "Jin", "Amara", "Luca", "Priya", "Noah", "Ines", "Tomasz", "Leila", "Mateo", "Freya", "Kofi", "Yuki",
    "Elena", "Omar", "Greta", "Samir", "Chloe", "Andrei", "Nadia", "Henrik", "Aisha", "Diego", "Mei", "Rosa", "Viktor",
    "Zara", "Emil", "Hana", "Pablo",
];

const LAST: &[&str] = &[
    "Ruiz",
    "Park",
    "Okafor",
    "Bianchi",
    "Nair",
    "Lindqvist",
    "Almeida",
    "Kowalski",
    "Haddad",
    "Fuentes",
    "Nielsen",
    "Mensah",
    "Tanaka",
    "Petrova",
    "Farouk",
    "Vogel",
    "Desai",
    "Laurent",
    "Ionescu",
    "Rahman",
    "Berg",
    "Diallo",
    "Castillo",
    "Chen",
    "Moreau",
    "Novak",
    "Sharif",
    "Holm",
    "Sato",
    "Ortega",
];

const TITLES: &[&str] = &[
    "VP Engineering",
    "Head of Operations",
    "Director of Marketing",
    "Chief Technology Officer",
    "VP Sales",
    "Head of Data",
    "Product Manager",
    "Marketing Specialist",
    "Software Engineer",
    "Operations Analyst",
    "Procurement Lead",
    "IT Administrator",
    "Student",
];

/// What people (and attackers) really type into a form's name field.
const HOSTILE: &[&str] = &[
    "<!channel> Click <https://phish.example|here>",
    "*Bold* _Move_ ~Strike~ `code` & <b>Tag</b>",
    "Bartholomew Maximilian Featherstonehaugh-Cholmondeley of the Upper Lower Middle Wallop and Surrounding Hamlets III",
    "\u{202e}moc.elpmaxe@nimda",
    "محمد عبد الرحمن",
    "🦄 Ünï Çødé 🚀🚀🚀",
    "'; DROP TABLE leads; --",
    "<img src=x onerror=alert(1)>",
];

/// A person who does not exist either.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user_id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) job_title: &'static str,
    pub(super) company: Company,
}

impl Person {
    /// The person of lead `index` at `company`.
    pub(super) fn draw(random: &mut Random, index: usize, company: Company) -> Self {
        let (first, last) = (random.pick(FIRST), random.pick(LAST));
        let name = if random.chance(3) { random.pick(HOSTILE).to_owned() } else { format!("{first} {last}") };
        Self {
            user_id: format!("u-{:05}", index + 1),
            name,
            // The index keeps addresses apart: with a thousand leads two are called the same.
            email: format!("{}.{}{}@{}", first.to_lowercase(), last.to_lowercase(), index + 1, company.domain),
            job_title: random.pick(TITLES),
            company,
        }
    }
}
