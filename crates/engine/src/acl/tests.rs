use super::*;
use crate::args::Args;
use crate::command::CommandTable;

const NO_CHANNELS: NewSelectors = NewSelectors { all_channels: false };

fn user(rules: &[&str]) -> User {
    try_user(rules).unwrap()
}

fn try_user(rules: &[&str]) -> Result<User, String> {
    let rules: Vec<&[u8]> = rules.iter().map(|rule| rule.as_bytes()).collect();
    let user = User::new(b"u", NO_CHANNELS).with_rules(&rules, NO_CHANNELS);
    user.map_err(|text| String::from_utf8(text).unwrap())
}

fn described(rules: &[&str]) -> String {
    String::from_utf8(user(rules).describe()).unwrap()
}

fn check(user: &User, call: &[&str]) -> Result<(), Denied> {
    let call: Vec<&[u8]> = call.iter().map(|word| word.as_bytes()).collect();
    let args = Args::new(&call);
    user.check(CommandTable::get().resolve(args).unwrap(), args)
}

#[test]
fn users_are_described_by_rules_that_make_them_anew() {
    let all = [
        "on >secret ~a* %R~b %W~c %RW~d &news +@all -@dangerous +keys -client|kill",
        "off nopass allkeys allchannels -@all +get +config|get +select|0 +SELECT|1",
        "reset sanitize-payload +@read +@write -@hash (+get ~x) (+@all -set &y %R~z)",
        "skip-sanitize-payload nocommands +@all -select +select|0",
    ];
    for rules in all {
        let first = user(&rules.split_inclusive(' ').map(str::trim).collect::<Vec<_>>());
        let text = String::from_utf8(first.describe()).unwrap();
        let again = user(&text.split(' ').collect::<Vec<_>>());
        assert_eq!(first.describe(), again.describe(), "{rules}");
        assert_eq!(first.passwords(), again.passwords());
        for entry in CommandTable::get().entries() {
            assert_eq!(
                first.root.commands.has(entry.id),
                again.root.commands.has(entry.id),
                "{rules}: {}",
                entry.full_name
            );
        }
    }
}

#[test]
fn rules_are_said_in_few_words() {
    assert_eq!(described(&[]), "off resetchannels -@all");
    assert_eq!(described(&["on", "nopass", "~*", "&*", "+@all"]), "on nopass ~* &* +@all");
    assert_eq!(described(&["+get", "+@hash"]), "off resetchannels -@all +@hash +get");
    assert_eq!(described(&["allcommands", "-get"]), "off resetchannels +@all -get");
    assert_eq!(
        described(&["+@all", "-config", "+config|get"]),
        "off resetchannels +@all -config +config|get"
    );
    assert_eq!(described(&["+select|0", "+select|1"]), "off resetchannels -@all +select|0 +select|1");
    assert_eq!(described(&["%RW~a", "%r~b", "%W~c", "%R~c"]), "off ~a %R~b ~c resetchannels -@all");
    assert_eq!(
        described(&["&a", "&b", "(+get ~x)"]),
        "off resetchannels &a &b -@all (~x resetchannels -@all +get)"
    );
}

#[test]
fn wrong_rules_say_what_is_wrong() {
    let wrong = |rules: &[&str]| try_user(rules).unwrap_err();
    let modifier =
        |rule: &str, error: RuleError| format!("Error in ACL SETUSER modifier '{rule}': {}", error.text());
    assert_eq!(wrong(&["+nosuch"]), modifier("+nosuch", RuleError::Unknown));
    assert_eq!(wrong(&["+@nosuch"]), modifier("+@nosuch", RuleError::Unknown));
    assert_eq!(wrong(&["+config|nosuch"]), modifier("+config|nosuch", RuleError::Unknown));
    assert_eq!(wrong(&["-get|x"]), modifier("-get|x", RuleError::Unknown));
    assert_eq!(wrong(&["+config|get|x"]), modifier("+config|get|x", RuleError::FirstArgOfSubcommand));
    assert_eq!(wrong(&["+select|"]), modifier("+select|", RuleError::Syntax));
    assert_eq!(wrong(&["nosuch"]), modifier("nosuch", RuleError::Syntax));
    assert_eq!(wrong(&["%~x"]), modifier("%~x", RuleError::Syntax));
    assert_eq!(wrong(&["%RR~x"]), modifier("%RR~x", RuleError::Syntax));
    assert_eq!(wrong(&["~a b"]), modifier("~a b", RuleError::Syntax));
    assert_eq!(wrong(&["~*", "~a"]), modifier("~a", RuleError::KeysAreAll));
    assert_eq!(wrong(&["&*", "&a"]), modifier("&a", RuleError::ChannelsAreAll));
    assert_eq!(wrong(&["<x"]), modifier("<x", RuleError::NoSuchPassword));
    assert_eq!(wrong(&["#x"]), modifier("#x", RuleError::BadHash));
    assert_eq!(wrong(&["(+get", "+set"]), "Unmatched parenthesis in acl selector starting at '(+get'.");
}

#[test]
fn calls_are_checked_by_command_key_and_selector() {
    let reader = user(&["+@read", "%R~r*", "~all"]);
    assert_eq!(check(&reader, &["GET", "r1"]), Ok(()));
    assert_eq!(check(&reader, &["GET", "x"]), Err(Denied::Key(1)));
    assert_eq!(check(&reader, &["MGET", "r1", "x", "all"]), Err(Denied::Key(2)));
    assert_eq!(check(&reader, &["SET", "r1", "v"]), Err(Denied::Command));
    assert_eq!(check(&reader, &["AUTH", "x"]), Ok(()));
    let setter = user(&["+set", "%W~w", "(+set +get %R~r ~both)"]);
    assert_eq!(check(&setter, &["SET", "w", "v"]), Ok(()));
    assert_eq!(check(&setter, &["SET", "w", "v", "GET"]), Err(Denied::Key(1)));
    assert_eq!(check(&setter, &["SET", "both", "v", "GET"]), Ok(()));
    assert_eq!(check(&setter, &["GET", "r"]), Ok(()));
    assert_eq!(check(&setter, &["GET", "w"]), Err(Denied::Key(1)));
    assert_eq!(check(&setter, &["DEL", "w"]), Err(Denied::Command));
    let first = user(&["+select|1", "+config|get", "allkeys"]);
    assert_eq!(check(&first, &["SELECT", "1"]), Ok(()));
    assert_eq!(check(&first, &["SELECT", "2"]), Err(Denied::Command));
    assert_eq!(check(&first, &["CONFIG", "GET", "x"]), Ok(()));
    assert_eq!(check(&first, &["CONFIG", "SET", "x", "y"]), Err(Denied::Command));
}

#[test]
fn passwords_admit() {
    assert!(user(&["on", ">a", ">b", "<a"]).admits(b"b"));
    assert!(!user(&["on", ">a", ">b", "<a"]).admits(b"a"));
    assert!(!user(&[">a"]).admits(b"a"), "a user that is off");
    assert!(user(&["on", "nopass"]).admits(b"anything"));
    assert!(!user(&["on"]).admits(b""));
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    assert!(user(&["on", &format!("#{hash}")]).admits(b"secret"));
    assert_eq!(PasswordHash::of(b"secret").as_bytes(), hash.as_bytes());
}

#[test]
fn whoever_has_all_is_not_checked() {
    assert!(User::default_user().is_unrestricted());
    assert!(user(&["(~* &* +@all)"]).is_unrestricted());
    assert!(!user(&["~*", "&*", "+@all", "-get", "+get"]).is_unrestricted());
}

#[test]
fn channels_are_lost_when_one_goes() {
    let (both, one) = (user(&["&a", "&b"]), user(&["&a"]));
    assert!(both.loses_channels(&one));
    assert!(!one.loses_channels(&both));
    assert!(user(&["&*"]).loses_channels(&both));
    assert!(!both.loses_channels(&user(&["(&*)"])));
    assert!(one.may_subscribe(b"a", true) && !one.may_subscribe(b"b", false));
}
